/** Each page of a gateway in a real browser, without a network: it loads, does its main job, and complains of nothing. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { Browser } from "playwright-core";
import { launchChromium, openPage, until } from "../../support/browser";
import { developmentKey, startWorld, type World } from "../../support/world";
import { runOperation, showExplorer, showsAnswer } from "../explorer/explorer-page";

let world: World;
let browser: Browser;
let origin: string;

beforeAll(async () => {
  world = await startWorld();
  origin = world.gateways[0]!.origin;
  browser = await launchChromium();
}, 60_000);
afterAll(async () => {
  await browser.close();
  await world[Symbol.asyncDispose]();
});

it("issues a token in the explorer at the first click on Run", async () => {
  await using opened = await openPage(browser, origin);
  const { page, complaints, strayRequests } = opened;
  await showExplorer(page, origin);
  const { accessToken } = (await runOperation(page, origin)).data.createIdentity!;
  expect(world.emulator.introspect(accessToken.token)).toMatchObject({ active: true });
  await showsAnswer(page, `"token":"${accessToken.token}"`);
  expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] });
}, 60_000);

it("shows what the gateway does on the status page", async () => {
  await using opened = await openPage(browser, origin);
  const { page, complaints, strayRequests } = opened;
  await page.goto(`${origin}/status#key=${developmentKey}`);
  await until(
    page,
    `document.querySelector("h1").innerText.length > 0 && document.querySelector("svg, canvas") !== null`,
  );
  await until(page, `/Live/.test(document.body.innerText)`);
  // There is no Redis, so nothing is said of it.
  await until(page, `document.querySelectorAll("#totals tbody tr").length > 0`);
  expect(await page.locator("#redis, #redis-chart").filter({ visible: true }).count()).toBe(0);
  expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] });
}, 60_000);
