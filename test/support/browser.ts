/** A real headless Chromium for tests, with its network closed to all but the origin under test. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];

/** macOS keeps programs out of PATH. */
const places = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Names resolve to nothing: what a page's routes do not see, such as prefetching, cannot leave either.
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
];

/** The path of an installed Chromium: `CHROMIUM_PATH`, or else the first on `PATH` or among macOS's applications. Throws, saying how to get one. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env, elsewhere = places): string {
  const given = environment.CHROMIUM_PATH;
  if (given !== undefined && given !== "") {
    if (isExecutable(given)) return given;
    throw new Error(`CHROMIUM_PATH is ${given}, which is not a program.`);
  }
  for (const directory of (environment.PATH ?? "").split(delimiter)) {
    const found = names.map((name) => join(directory, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  const place = elsewhere.find(isExecutable);
  if (place !== undefined) return place;
  throw new Error(
    "No Chromium found. Install one (Debian and Ubuntu: `apt-get install chromium`; others: " +
      "`npx playwright-core install chromium`) and, if it is not on PATH, set CHROMIUM_PATH to its program.",
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts Chromium. Close it when done. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), headless: true, args });
}

/** A page, and all that went wrong on it. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** URLs that were asked for outside the origin; none of them was answered. */
  readonly strayRequests: readonly string[];
  /** Uncaught errors, refused resources, and console messages of the levels error and warning. */
  readonly complaints: readonly string[];
}

/** Opens an empty page that can reach these origins and nothing else. */
export async function openPage(
  browser: Browser,
  origins: string | readonly string[],
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const allowed = [origins].flat();
  const strayRequests: string[] = [];
  const complaints: string[] = [];
  await context.route(
    () => true,
    (route) => {
      const url = route.request().url();
      if (allowed.includes(new URL(url).origin)) return route.continue();
      strayRequests.push(url);
      return route.abort();
    },
  );
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.addInitScript(`
    addEventListener("securitypolicyviolation", (event) =>
      console.error("refused by the content security policy:", event.violatedDirective, event.blockedURI));
  `);
  return { page, strayRequests, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** Waits until `expression`, evaluated in the page, is true. Playwright's own wait needs `unsafe-eval`. */
export async function until(page: Page, expression: string, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await page.evaluate<boolean>(expression))) {
    if (Date.now() > deadline) throw new Error(`Not true within ${timeoutMs} ms: ${expression}`);
    await page.waitForTimeout(50);
  }
}
