import { afterAll, beforeAll, it } from "@jest/globals";
import type { Browser } from "playwright-core";
import { launchChromium, openPage, until } from "../support/browser";
import { type World } from "../support/world";
import { makeBusy, startBusyWorld, statusOf } from "./busy-world";
import { writeFileSync } from "node:fs";

let world: World;
let browser: Browser;
beforeAll(async () => {
  world = await startBusyWorld({ gateways: 3, redis: true, environment: { ACS_RATE_LIMIT: "2000" }, emulator: { limits: false, latencyMs: 40 } as never });
  browser = await launchChromium();
}, 60_000);
afterAll(async () => {
  await browser.close();
  await world[Symbol.asyncDispose]();
});

it("shoots", async () => {
  await using _busy = makeBusy(world);
  const { origin } = world.gateways[0]!;
  await new Promise((resolve) => setTimeout(resolve, 62_000));
  const faults = { kind: "status", status: 503, probability: 0.3 };
  void faults;
  for (const scheme of ["light", "dark"] as const) {
    await using opened = await openPage(browser, origin, { colorScheme: scheme });
    const { page } = opened;
    await page.goto(`${origin}/status`);
    await until(page, `!document.getElementById("status").hidden`);
    await page.waitForTimeout(500);
    await page.screenshot({ path: `/tmp/status-${scheme}.png`, fullPage: true });
    console.log(opened.complaints, opened.strayRequests);
  }
  {
    await using opened = await openPage(browser, origin, { viewport: { width: 380, height: 800 } });
    const { page } = opened;
    await page.goto(`${origin}/status`);
    await until(page, `!document.getElementById("status").hidden`);
    await page.waitForTimeout(500);
    await page.screenshot({ path: `/tmp/status-narrow.png`, fullPage: true });
  }
  writeFileSync("/tmp/status.json", JSON.stringify(await statusOf(origin), null, 1));
}, 120_000);
