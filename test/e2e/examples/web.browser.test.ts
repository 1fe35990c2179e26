/** The web example in a real browser, from signing in to signing out. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { programFile } from "../../support/program";
import { launchChromium, openPage, until } from "../../support/browser";
import { endWithParent } from "../../support/end-with-parent";

interface Places {
  readonly page: string;
  readonly issuer: string;
  readonly endpoint: string;
}

const root = join(__dirname, "..", "..", "..");
let browser: Browser;
let places: Places;
let end: () => Promise<void>;

beforeAll(async () => {
  const { PATH, HOME } = process.env;
  const child = fork(
    join(__dirname, "example-process.mjs"),
    [programFile, join(root, ".cache", "example-web")],
    { env: { PATH, HOME }, stdio: ["ignore", "ignore", "ignore", "ipc"] },
  );
  endWithParent(child);
  end = async () => {
    const exited = once(child, "exit");
    child.disconnect();
    await exited;
  };
  [browser, [places]] = await Promise.all([launchChromium(), once(child, "message") as Promise<[Places]>]);
}, 60_000);
afterAll(async () => {
  await browser.close();
  await end();
});

const open = (options: Parameters<typeof openPage>[2] = {}) =>
  openPage(browser, [places.page, places.issuer, new URL(places.endpoint).origin], options);
const text = (page: Page, selector: string) => page.locator(selector).innerText();
const results = (page: Page) => page.locator("#history tr td:nth-child(3)").allInnerTexts();
const hasState = (page: Page, state: string) =>
  until(page, `document.querySelector("#state").dataset.state === "${state}"`);

async function signIn(page: Page, person: string): Promise<void> {
  await page.goto(places.page);
  await page.click("#sign-in");
  await page.click(`button[value=${person}]`);
  await page.waitForSelector("#app:not([hidden])");
}

it("signs in, gets a token, has it from the cache, loses it and gets another", async () => {
  await using watched = await open();
  const { page } = watched;
  await signIn(page, "ada");
  await hasState(page, "good");
  expect(await text(page, "#name")).toBe("Ada Lovelace");
  expect(await text(page, "#identity")).toMatch(/^8:acs:/);
  expect(await page.locator("#scopes .chip").allInnerTexts()).toEqual(["CHAT", "VOIP"]);
  expect(await results(page)).toEqual(["ISSUED"]);

  const before = await text(page, "#refresh-in");
  expect(before).toMatch(/^23:49:\d\d$/);
  await until(page, `document.querySelector("#refresh-in").innerText < "${before}"`);

  const first = await text(page, "#token");
  await page.click("#again");
  await until(page, `document.querySelectorAll("#history tr").length === 2`);
  expect(await results(page)).toEqual(["CACHE", "ISSUED"]);
  expect(await text(page, "#token")).toBe(first);

  await page.click("#revoke");
  await until(page, `document.querySelector("#history tr td:nth-child(3)").innerText === "ISSUED"`);
  expect((await results(page)).sort()).toEqual(["CACHE", "ISSUED", "ISSUED", "REVOKED", "REVOKED"]);
  expect(await text(page, "#token")).not.toBe(first);
  expect(await text(page, "#message")).toMatch(
    /^Revoked\. ACS refuses the old tokens everywhere by \d\d:\d\d:\d\d/,
  );
  await hasState(page, "good");

  // Nothing of a token is written down or shown.
  const kept = await page.evaluate<string>(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.body.innerText, document.cookie])",
  );
  expect(kept).not.toMatch(/eyJ[\w-]{20}/);
  expect(watched.strayRequests).toEqual([]);
  expect(watched.complaints).toEqual([]);
}, 40_000);

it("is told when somebody else revokes, and heals by itself", async () => {
  await using here = await open();
  await using elsewhere = await open();
  for (const { page } of [here, elsewhere]) {
    await signIn(page, "grace");
    await hasState(page, "good");
  }
  const before = await text(here.page, "#token");
  await elsewhere.page.click("#revoke");
  await until(here.page, `document.querySelector("#token").innerText !== "${before}"`);
  expect(await results(here.page)).toEqual(expect.arrayContaining(["REVOKED"]));
  expect(await text(here.page, "#message")).toBe("");
}, 40_000);

it("works by keyboard alone, in the dark, for a guest who asks for too much", async () => {
  await using watched = await open({ colorScheme: "dark", viewport: { width: 390, height: 844 } });
  const { page } = watched;
  const press = async (times: number, key = "Tab") => {
    for (let count = 0; count < times; count++) await page.keyboard.press(key);
  };
  const focused = () => page.evaluate<string>("document.activeElement.id || document.activeElement.value");
  await page.goto(places.page);
  await page.waitForSelector("#sign-in:visible");
  await press(1);
  expect(await focused()).toBe("sign-in");
  await press(1, "Enter");
  await page.waitForSelector("button[value=guest]");
  await press(3);
  expect(await focused()).toBe("guest");
  await press(1, "Enter");
  await page.waitForSelector("#app:not([hidden])");
  await hasState(page, "failed");
  expect(await text(page, "#message")).toContain("CHAT_JOIN_LIMITED, VOIP_JOIN");

  // Sign out, three actions, then the scopes: fewer of them.
  await press(5);
  expect(await focused()).toBe("CHAT");
  for (let box = 0; box < 4; box++) {
    await press(1, "Space");
    await press(1);
  }
  await press(2);
  await press(1, "Enter");
  await hasState(page, "good");
  expect(await page.locator("#scopes .chip").allInnerTexts()).toEqual(["CHAT_JOIN_LIMITED", "VOIP_JOIN"]);
  const dark = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  expect(dark).toBe("rgb(14, 17, 24)");
  // Nothing is wider than the screen.
  expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(390);
}, 40_000);

it("signs out at the issuer too, and starts anew", async () => {
  await using watched = await open();
  const { page } = watched;
  await signIn(page, "ada");
  await hasState(page, "good");
  await page.click("#sign-out");
  await page.click("button[name=logout]");
  await page.waitForSelector("#welcome:not([hidden])");
  expect(page.url()).toBe(`${places.page}/`);
  await page.click("#sign-in");
  // Nobody is signed in at the issuer either: it asks who it is.
  await page.waitForSelector("button[value=ada]");
  expect(watched.complaints).toEqual([]);
}, 40_000);
