/** Proves in a real browser, without a network, that the status page asks for a key, shows live figures and draws them. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { hashApiKey } from "../../../src/services/access/api-key";
import { launchChromium, openPage, until } from "../../support/browser";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { developmentKey, type World } from "../../support/world";
import { makeBusy, startBusyWorld, statusOf } from "../../integration/status/busy-world";

const screenshots = join(__dirname, "..", "..", "..", ".cache", "screenshots");
const backendKey = "the-key-of-a-backend";

let redis: RedisServer;
let world: World;
let busy: AsyncDisposable;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  redis = await startRedis();
  world = await startBusyWorld({
    gateways: 3,
    environment: {
      REDIS_URL: redis.url,
      TOKEN_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 1).toString("base64")}`,
      API_KEYS: `backend:${hashApiKey(backendKey).toString("hex")} rights=token:issue:any`,
      CALLER_REQUESTS_PER_MINUTE: "100000",
    },
  });
  origin = world.gateways[0]!.origin;
  world.emulator.faults.add({ kind: "latency", latencyMs: 25, probability: 0.5 });
  busy = makeBusy(world);
  browser = await launchChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await busy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await redis.stop();
});

/** Waits until the page shows figures. */
const shown = (page: Page) => until(page, `!document.getElementById("status").hidden`);
const textOf = (page: Page, selector: string) => page.locator(selector).first().innerText();
/** The points of a chart's first line. */
const points = (id: string) =>
  `(document.querySelector("#${id} .chart > path.look-1")?.getAttribute("d") ?? "").split(/[ML]/).length - 1`;

it.each(["light", "dark"] as const)(
  "shows figures that move and lines that grow, at once on this machine, needing nothing from elsewhere (%s)",
  async (colorScheme) => {
    await using opened = await openPage(browser, origin, { colorScheme });
    const { page, complaints, strayRequests } = opened;
    await page.goto(`${origin}/status`);
    await shown(page);
    await until(page, `document.querySelectorAll("#replicas tbody tr").length === 4`);
    expect(await textOf(page, "#about")).toMatch(/^Status of .+ · version \d/);
    expect(await textOf(page, "#connection")).toBe("Live.");

    for (const chart of [
      "operations-chart",
      "latency-chart",
      "tokens-chart",
      "calls-chart",
      "memory-chart",
    ]) {
      await until(page, `${points(chart)} > 3`);
    }
    const before = await page.evaluate<number>(points("operations-chart"));
    await until(page, `${points("operations-chart")} > ${before}`);
    await until(
      page,
      `/^[\\d.]+ \\/s$/.test(document.querySelector("#tiles .figure").textContent) && parseFloat(document.querySelector("#tiles .figure").textContent) > 0`,
    );
    const { window } = await statusOf(origin);
    const operations = window.operations.map(({ operation }) => operation);
    expect(operations).toEqual(expect.arrayContaining(["issueToken", "revokeTokens"]));
    await until(
      page,
      `[...document.querySelectorAll("#operations tbody th")].some((cell) => cell.textContent === "issueToken")`,
    );
    const cells = await page.locator("#operations tbody tr", { hasText: "issueToken" }).first().innerText();
    expect(cells).toMatch(/issueToken\s+[\d,]+\s+[\d.]+\s+\d+\s+.*\d+\sm?s\s.*\d+\sm?s/s);
    await until(page, `document.getElementById("errors").innerText.includes("BAD_USER_INPUT")`);
    expect(await page.locator("#azure meter").count()).toBeGreaterThan(0);

    const [ground, ink] = await page.evaluate<string[]>(
      `(({ backgroundColor, color }) => [backgroundColor, color])(getComputedStyle(document.body))`,
    );
    const lightness = (rgb = "") =>
      (rgb.match(/\d+/g) ?? []).map(Number).reduce((sum, part) => sum + part, 0);
    expect(lightness(ground) > lightness(ink)).toBe(colorScheme === "light");
    await page.screenshot({ path: join(screenshots, `status-${colorScheme}.png`), fullPage: true });
    expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] });
  },
  60_000,
);

it("asks for a key where it is not given one, refuses one that does not do, and keeps none", async () => {
  await using opened = await openPage(browser, origin);
  const { page, strayRequests } = opened;
  await page.route("**/status/settings.json", (route) => route.fulfill({ json: {} }));
  await page.goto(`${origin}/status`);
  const field = page.getByLabel("API key or access token");
  const enter = async (key: string) => {
    // By keyboard alone: the field has the focus.
    await until(page, `document.activeElement === document.getElementById("key")`);
    await page.keyboard.insertText(key);
    await page.keyboard.press("Enter");
  };
  await page.screenshot({ path: join(screenshots, "status-sign-in.png") });
  await enter("guessed");
  await until(
    page,
    `document.getElementById("key-problem").textContent.includes("does not know this key (401)")`,
  );
  await enter(backendKey);
  await until(
    page,
    `document.getElementById("key-problem").textContent.includes("lacks the right gateway:operate (403)")`,
  );
  expect(await page.locator("#tiles").isVisible()).toBe(false);
  expect(await field.getAttribute("type")).toBe("password");
  await enter(developmentKey);
  await shown(page);
  const kept = await page.evaluate<string>(
    `JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML])`,
  );
  expect(kept).not.toContain(developmentKey);
  await page.getByRole("button", { name: "Sign out" }).click();
  await until(page, `document.getElementById("status").hidden`);
  await page.reload();
  await until(page, `document.activeElement === document.getElementById("key")`);
  expect(strayRequests).toEqual([]);
}, 60_000);

it("is used by keyboard: whose figures, how long, pause, and each point of a chart", async () => {
  await using opened = await openPage(browser, origin);
  const { page, complaints } = opened;
  const asked: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/status/data")) asked.push(new URL(request.url()).search);
  });
  await page.goto(`${origin}/status`);
  await shown(page);
  await page.getByRole("radio", { name: "All gateways" }).focus();
  await page.keyboard.press("ArrowRight");
  await until(page, `document.querySelector("input[value=own]").checked`);
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowRight");
  await page.waitForRequest((request) => request.url().endsWith("?scope=own&span=long"));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until(page, `document.getElementById("connection").textContent.startsWith("Paused.")`);
  const chart = page.getByRole("slider", { name: "Operations per second" });
  await chart.focus();
  await page.keyboard.press("Home");
  const first = await chart.getAttribute("aria-valuetext");
  await page.keyboard.press("End");
  const last = await chart.getAttribute("aria-valuetext");
  expect(first).toMatch(/^\d\d:\d\d:\d\d: all [\d.,]+, refused [\d.]+, failed [\d.]+$/);
  expect(last).not.toBe(first);
  expect(await page.locator("#operations-chart .cursor circle").count()).toBe(3);
  await page.locator("#operations-chart summary").focus();
  await page.keyboard.press("Enter");
  await until(page, `document.querySelectorAll("#operations-chart details tbody tr").length > 0`);
  expect(complaints).toEqual([]);
}, 60_000);

it("fits a narrow screen, where nothing is cut off or pushes the page sideways", async () => {
  await using opened = await openPage(browser, origin, { viewport: { width: 360, height: 740 } });
  const { page, complaints } = opened;
  await page.goto(`${origin}/status`);
  await shown(page);
  await until(page, `${points("operations-chart")} > 3`);
  expect(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true);
  const cut = await page.evaluate<string[]>(
    `[...document.querySelectorAll(".tile dt, .tile .figure, .tile .note, h2, h3, button")]
      .filter((element) => element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1)
      .map((element) => element.textContent)`,
  );
  expect(cut).toEqual([]);
  await page.screenshot({ path: join(screenshots, "status-narrow.png") });
  expect(complaints).toEqual([]);
}, 60_000);

it("tells of trouble in words, and of a gateway that does not answer", async () => {
  await using opened = await openPage(browser, origin);
  const { page } = opened;
  await page.goto(`${origin}/status`);
  await shown(page);
  await redis.kill();
  await until(page, `/Trouble.*Redis is away/s.test(document.getElementById("concerns").innerText)`);
  await until(page, `/away/.test(document.getElementById("redis").innerText)`);
  await until(page, `/Redis is away: others are not seen/.test(document.getElementById("tiles").innerText)`);
  await page.screenshot({ path: join(screenshots, "status-trouble.png"), fullPage: true });
  await page.route("**/status/data**", (route) => route.abort());
  await until(
    page,
    `/does not answer.*Figures are those of/.test(document.getElementById("connection").textContent)`,
  );
  await page.screenshot({ path: join(screenshots, "status-silent.png") });
  await page.unroute("**/status/data**");
  await redis.restart();
  await until(page, `document.getElementById("connection").textContent === "Live."`);
  await until(page, `document.querySelectorAll("#replicas tbody tr").length === 4`, 20_000);
}, 60_000);
