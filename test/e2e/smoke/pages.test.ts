/** Each page of a gateway in a real browser, without a network: it loads, does its main job, and complains of nothing. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { Browser } from "playwright-core";
import { launchChromium, openPage, until } from "../../support/browser";
import { startWorld, type World } from "../../support/world";

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
  await page.goto(`${origin}/explorer`);
  await page.getByRole("button", { name: /^Execute query/ }).click();
  await until(
    page,
    `/"token":\\s*"eyJ/.test(document.querySelector(".graphiql-response").innerText)`,
    30_000,
  );
  expect(world.emulator.counts.snapshot().operations.createIdentity?.worked).toBe(1);
  expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] });
}, 60_000);

it("shows what the gateway does on the status page", async () => {
  await using opened = await openPage(browser, origin);
  const { page, complaints, strayRequests } = opened;
  await page.goto(`${origin}/status`);
  await until(
    page,
    `document.querySelector("h1").innerText.length > 0 && document.querySelector("svg, canvas") !== null`,
  );
  await until(page, `/Live/.test(document.body.innerText)`);
  expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] });
}, 60_000);
