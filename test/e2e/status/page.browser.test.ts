/** The status page in a real browser, of a gateway process with Redis: figures that move, keys that are refused, a gateway that goes away. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { launchChromium, openPage, until } from "../../support/browser";
import { startGatewayProcess, type GatewayProcess } from "../../support/gateway-process";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { developmentKey } from "../../support/world";

const screenshots = join(__dirname, "..", "..", "..", ".cache", "screenshots");
const backendKey = "the-key-of-a-backend";

let redis: RedisServer;
let emulator: Emulator;
let gateway: GatewayProcess;
let browser: Browser;
let traffic: { stop(): Promise<void> };

const start = (port = "0") =>
  startGatewayProcess({
    PORT: port,
    REDIS_URL: redis.url,
    ACS_CONNECTION_STRING: emulator.connectionString,
    CALLER_REQUESTS_PER_MINUTE: "100000",
    API_KEYS: `backend:${hashApiKey(backendKey).toString("hex")} rights=token:issue:any`,
  });

beforeAll(async () => {
  redis = await startRedis();
  emulator = await startEmulator({ limits: false });
  gateway = await start();
  traffic = makeTraffic();
  browser = await launchChromium();
}, 60_000);

afterAll(async () => {
  await browser.close();
  await traffic.stop();
  await gateway[Symbol.asyncDispose]();
  await emulator[Symbol.asyncDispose]();
  await redis.stop();
});

/** Most requests are served from the cache, some are refused, some go to ACS. */
function makeTraffic() {
  let stopped = false;
  const work = async () => {
    for (let count = 0; !stopped; count++) {
      const { client } = gateway;
      const step = async () => {
        const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
        for (let times = 0; times < 10 && !stopped; times++) {
          await client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
        }
        await client.send(IssueTokenDocument, { identityId: "nobody's", scopes: ["CHAT"] });
        await client.send(RevokeTokensDocument, { identityId });
      };
      await step().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  };
  const done = work();
  return {
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

const link = () => `${gateway.origin}/status#key=${developmentKey}`;
const textOf = (page: Page, selector: string) => page.locator(selector).first().innerText();
const tile = (heading: string) =>
  `[...document.querySelectorAll(".tile:not([hidden])")].find((tile) => tile.querySelector("dt").textContent === "${heading}")?.querySelector(".figure").textContent`;
/** True once the picture of a chart has pixels that are no single colour. */
const isDrawn = (id: string) => `(() => {
  const canvas = document.querySelector("#${id} canvas");
  if (!canvas || canvas.width === 0) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size > 3;
})()`;

it.each(["light", "dark"] as const)(
  "shows figures that move and draws them, needing nothing from elsewhere (%s)",
  async (colorScheme) => {
    await using opened = await openPage(browser, gateway.origin, { colorScheme });
    const { page, complaints, strayRequests } = opened;
    await page.goto(link());
    await until(
      page,
      `/^[\\d.]+ \\/s$/.test(${tile("Operations")}) && parseFloat(${tile("Operations")}) > 0`,
    );
    expect(page.url()).toBe(`${gateway.origin}/status`);
    expect(await textOf(page, "#about")).toMatch(
      /^127\.0\.0\.1:\d+ · version \d\S+ · Node\.js v\d\S+ · up for \d/,
    );
    expect(await textOf(page, "#connection")).toBe("Live");
    for (const heading of [
      "issueToken, p95",
      "Cache hit ratio",
      "ACS rate limit used",
      "Event loop lag, p99",
    ]) {
      await until(page, `/^[\\d.]+\\s(ms|s|%)/.test(${tile(heading)})`);
    }
    expect(await page.evaluate(`[${tile("Redis")}, ${tile("ACS circuit breakers")}]`)).toEqual([
      "Up",
      "Closed",
    ]);
    const charts = [
      "operations",
      "latency",
      "tokens",
      "hits",
      "calls",
      "limit",
      "redis",
      "event-loop",
      "memory",
    ];
    for (const chart of charts) await until(page, isDrawn(`${chart}-chart`));
    const rows = (table: string) => page.locator(`#${table} tbody tr`).allInnerTexts();
    expect((await rows("operations")).join("\n")).toMatch(/issueToken\s+[\d,]+\s+[\d.]+\s+\d+\s+0\s/);
    expect((await rows("errors")).join("\n")).toMatch(/BAD_USER_INPUT\s+\d/);
    expect((await rows("acs")).join("\n")).toMatch(/issueToken\s+\d+ of 1,000 \([\d.]+\s%\)\s+0\s+closed/);
    expect((await rows("redis")).length).toBeGreaterThan(2);
    const served = `document.querySelector("#totals td").textContent`;
    const before = await page.evaluate<string>(served);
    await until(page, `${served} !== ${JSON.stringify(before)}`);
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

it("refuses a key with what to do about it, and keeps one that is accepted for this tab alone", async () => {
  await using opened = await openPage(browser, gateway.origin);
  const { page } = opened;
  await page.goto(`${gateway.origin}/status`);
  const enter = async (key: string) => {
    // By keyboard alone: the field has the focus.
    await until(page, `document.activeElement === document.getElementById("key")`);
    await page.keyboard.insertText(key);
    await page.keyboard.press("Enter");
  };
  const said = (text: string) =>
    until(page, `document.getElementById("key-problem").textContent.includes("${text}")`);
  await enter("guessed");
  await said("does not know this key (401). Check that you copied all of it");
  await enter(backendKey);
  await said("may not read metrics (403). Use one with the right gateway:operate");
  await enter("kéy");
  await said("This is not a key");
  expect(await page.evaluate("sessionStorage.length")).toBe(0);
  expect(await page.locator("#tiles").isVisible()).toBe(false);
  await enter(developmentKey);
  await until(page, `!document.getElementById("status").hidden`);
  await page.reload();
  await until(page, `!document.getElementById("status").hidden`);
  expect(
    await page.evaluate("[localStorage.length, document.cookie, document.documentElement.outerHTML].join()"),
  ).not.toContain(developmentKey);
  await page.getByRole("button", { name: "Forget key" }).click();
  await page.reload();
  await until(page, `document.activeElement === document.getElementById("key")`);
  expect(await page.evaluate("sessionStorage.length")).toBe(0);
}, 60_000);

it("fits a phone: nothing is cut off, nothing pushes the page sideways, and buttons can be hit", async () => {
  await using opened = await openPage(browser, gateway.origin, { viewport: { width: 390, height: 844 } });
  const { page, complaints } = opened;
  await page.goto(link());
  await until(page, isDrawn("operations-chart"));
  await until(page, `document.querySelectorAll("#acs tbody tr").length > 0`);
  expect(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`)).toBe(true);
  const cut = await page.evaluate<string[]>(
    `[...document.querySelectorAll(".tile > *, h2, h3, button, th, td, .legend")]
      .filter((element) => element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1)
      .map((element) => element.textContent)`,
  );
  expect(cut).toEqual([]);
  const sizes = await page.evaluate<number[]>(
    `[...document.querySelectorAll("button, input")].filter((each) => each.offsetParent).map((each) => each.getBoundingClientRect().height)`,
  );
  expect(sizes.length).toBeGreaterThan(0);
  for (const height of sizes) expect(height).toBeGreaterThanOrEqual(40);
  await page.screenshot({ path: join(screenshots, "status-phone.png"), fullPage: true });
  expect(complaints).toEqual([]);
}, 60_000);

it("shows Redis going away; keeps the last figures while the gateway is away, and goes on when it is back", async () => {
  await using opened = await openPage(browser, gateway.origin);
  const { page } = opened;
  await page.goto(link());
  await until(page, `${tile("Redis")} === "Up"`);
  await redis.kill();
  await until(page, `${tile("Redis")} === "Away"`);
  await redis.restart();
  await until(page, `${tile("Redis")} === "Up"`);
  const { port } = new URL(gateway.origin);
  await gateway.kill();
  const told = `document.getElementById("outage").textContent`;
  await until(
    page,
    `/^The gateway does not answer since \\d\\d:\\d\\d:\\d\\d. Figures are from \\d\\d:\\d\\d:\\d\\d;/.test(${told})`,
  );
  expect(await page.evaluate(tile("Operations"))).toMatch(/^[\d.]+ \/s$/);
  expect(await textOf(page, "#connection")).toBe("No connection");
  await page.screenshot({ path: join(screenshots, "status-away.png"), fullPage: true });
  gateway = await start(port);
  await until(page, `${told} === "" && document.getElementById("connection").textContent === "Live"`);
  // Counters that began again are no negative rates.
  expect(await page.evaluate(tile("Operations"))).toMatch(/^[\d.]+ \/s$/);
}, 90_000);
