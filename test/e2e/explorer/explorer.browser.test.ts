/** Proves in a real browser, without a network, that the explorer loads and issues tokens by a click on Run. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { findChromium, launchChromium, openPage, until } from "../../support/browser";
import { until as eventually } from "../../support/until";
import { developmentKey, startWorld, type World } from "../../support/world";
import {
  explorerLink,
  explorerReady,
  runOperation,
  showExplorer,
  showsAnswer,
  type Answer,
} from "./explorer-page";

const screenshots = join(__dirname, "..", "..", "..", ".cache", "screenshots");

/** A promise to be resolved from outside. */
function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe("the explorer in Chromium", () => {
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

  const show = (page: Page) => showExplorer(page, origin);
  const run = (page: Page) => runOperation(page, origin);

  it.each(["light", "dark"] as const)(
    "issues a token at the first click on Run, needing nothing from the network (%s)",
    async (colorScheme) => {
      await using opened = await openPage(browser, origin, { colorScheme });
      const { page, complaints, strayRequests } = opened;
      await show(page);
      await page.screenshot({ path: join(screenshots, `explorer-${colorScheme}-loaded.png`) });

      const { identity, accessToken } = (await run(page)).data.createIdentity!;
      expect(accessToken.token).toMatch(/^eyJ/);
      await showsAnswer(page, `"id":"${identity.id}"`);
      await showsAnswer(page, `"token":"${accessToken.token}"`);
      await page.screenshot({ path: join(screenshots, `explorer-${colorScheme}.png`) });

      expect(await page.title()).toBe("ACS Token Gateway explorer");
      expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] });
    },
    60_000,
  );

  /** Opens the tab of an operation. */
  const openTab = (page: Page, name: string): Promise<void> =>
    page.getByRole("tab", { name, exact: true }).click();

  /** Waits until the variables hold this identity. */
  const filled = (page: Page, identityId: string): Promise<void> =>
    until(
      page,
      `document.querySelector(".graphiql-editor-tool .view-lines")?.textContent
        .includes(${JSON.stringify(identityId)})`,
    );

  it("fills the identity of the last answer into the next operation", async () => {
    await using opened = await openPage(browser, origin);
    const { page, complaints } = opened;
    await show(page);
    const first = (await run(page)).data.createIdentity!;
    await openTab(page, "IssueToken");
    await filled(page, first.identity.id);
    const next = (await run(page)).data.issueToken!;
    expect(next.identity.id).toBe(first.identity.id);
    await showsAnswer(page, `"token":"${next.accessToken.token}"`);
    await page.screenshot({ path: join(screenshots, "explorer-next-operation.png") });
    expect(await page.locator(".squiggly-error").count()).toBe(0);
    expect(complaints).toEqual([]);
  }, 60_000);

  it("shows the events of a subscription as they come, and stops when told", async () => {
    await using opened = await openPage(browser, origin);
    const { page, complaints } = opened;
    await show(page);
    const { identity } = (await run(page)).data.createIdentity!;
    await openTab(page, "TokenRevoked");
    await filled(page, identity.id);
    await page.getByRole("button", { name: /^Execute query/ }).click();
    await page.getByRole("button", { name: /^Stop query/ }).waitFor();
    const revoke = `mutation { revokeTokens(input: { identityId: "${identity.id}" }) { effectiveBy } }`;
    const told = showsAnswer(page, '"cause":"REVOKED"');
    // The button does not tell when the stream is open.
    let over = false;
    await Promise.all([
      told.finally(() => (over = true)),
      eventually(async () => over || (await world.client.send(revoke)).errors !== undefined),
    ]);
    await page.getByRole("button", { name: /^Stop query/ }).click();
    await page.getByRole("button", { name: /^Execute query/ }).waitFor();
    expect(complaints).toEqual([]);
  }, 60_000);

  it("fills it in when the answer comes after the next operation was opened", async () => {
    await using opened = await openPage(browser, origin);
    const { page } = opened;
    await show(page);
    const asked = deferred();
    const released = deferred();
    await page.route(`${origin}/graphql`, async (route) => {
      asked.resolve();
      await released.promise;
      await route.fallback();
    });
    const answer = run(page);
    await asked.promise;
    await openTab(page, "IssueToken");
    await until(page, `document.querySelector(".graphiql-editor-tool")?.textContent.includes("VOIP")`);
    released.resolve();
    await filled(page, (await answer).data.createIdentity!.identity.id);
  }, 60_000);

  it("moves on to a newer identity in operations that held an older one", async () => {
    await using opened = await openPage(browser, origin);
    const { page } = opened;
    await show(page);
    const older = (await run(page)).data.createIdentity!.identity.id;
    await openTab(page, "IssueToken");
    await filled(page, older);
    expect((await run(page)).data.issueToken!.identity.id).toBe(older);
    await openTab(page, "CreateIdentityAndToken");
    const newer = (await run(page)).data.createIdentity!.identity.id;
    expect(newer).not.toBe(older);
    await openTab(page, "RefreshToken");
    await filled(page, newer);
    await openTab(page, "IssueToken");
    await filled(page, newer);
  }, 60_000);

  it("runs the operation that is shown, however soon after its tab was opened", async () => {
    await using opened = await openPage(browser, origin);
    const { page } = opened;
    await show(page);
    const answered = page.waitForResponse(
      (response) => response.request().postData()?.includes("query Viewer") === true,
    );
    await page.evaluate(`
      [...document.querySelectorAll(".graphiql-tab-button")].find((tab) => tab.textContent === "Viewer").click();
      document.querySelector(".graphiql-execute-button").click();
    `);
    expect(await (await answered).json()).toMatchObject({ data: { viewer: { identity: null } } });
  }, 60_000);

  it("is worked with the keyboard alone: Tab reaches Run, and Enter issues a token", async () => {
    await using opened = await openPage(browser, origin);
    const { page } = opened;
    await show(page);
    const answered = page.waitForResponse(`${origin}/graphql`);
    const focused = `document.activeElement?.getAttribute("aria-label")?.startsWith("Execute query")`;
    for (let count = 0; count < 50 && !(await page.evaluate<boolean>(focused)); count++)
      await page.keyboard.press("Tab");
    expect(await page.evaluate<boolean>(focused)).toBe(true);
    await page.keyboard.press("Enter");
    const { data } = (await (await answered).json()) as Answer;
    await showsAnswer(page, `"token":"${data.createIdentity!.accessToken.token}"`);
  }, 60_000);

  it("leaves neither keys nor tokens nor variables in the browser's storage", async () => {
    await using opened = await openPage(browser, origin);
    const { page } = opened;
    await show(page);
    const { identity, accessToken } = (await run(page)).data.createIdentity!;
    await page.getByRole("tab", { name: "IssueToken" }).click();
    await run(page);
    // A theme is chosen, so that there is something in the storage at all.
    await page.getByRole("button", { name: "Open settings dialog" }).click();
    await page.getByRole("button", { name: "Dark" }).click();
    const stored = await page.evaluate<string>(
      "JSON.stringify([{ ...localStorage }, { ...sessionStorage }])",
    );
    expect(stored).toContain("dark");
    for (const secret of [developmentKey, accessToken.token, identity.id])
      expect(stored).not.toContain(secret);
  }, 60_000);

  it("takes the key out of the address, sends it to the endpoint alone, and forgets it with the page", async () => {
    await using opened = await openPage(browser, origin);
    const { page } = opened;
    const carriers = new Set<string>();
    page.on("request", (request) => {
      const sent = `${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ""}`;
      if (sent.includes(developmentKey)) carriers.add(new URL(request.url()).pathname);
    });
    await show(page);
    await run(page);
    expect(page.url()).toBe(`${origin}/explorer`);
    expect([...carriers]).toEqual(["/graphql"]);
    const hint = page.getByText("open the link that the gateway printed");
    expect(await hint.count()).toBe(0);
    await page.reload();
    await hint.waitFor();
    expect(await page.evaluate("document.body.innerText")).not.toContain(developmentKey);
    // The link once more, in the same tab: only the fragment changes.
    await page.goto(explorerLink(origin));
    await hint.waitFor({ state: "detached" });
    await explorerReady(page);
    expect((await run(page)).data.createIdentity!.accessToken.token).toMatch(/^eyJ/);
  }, 60_000);

  it("has Apollo Sandbox beside it at the endpoint, with the same operations and no key", async () => {
    const response = await fetch(`${origin}/graphql`, { headers: { accept: "text/html" } });
    const page = await response.text();
    expect(response.headers.get("content-type")).toContain("text/html");
    expect(page).toContain("mutation CreateIdentityAndToken");
    expect(page).not.toContain(developmentKey);
  });
});

describe("Apollo Sandbox in Chromium", () => {
  const script =
    "https://embeddable-sandbox.cdn.apollographql.com/v2/embeddable-sandbox.umd.production.min.js";
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld();
    browser = await launchChromium();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await world[Symbol.asyncDispose]();
  });

  it("runs its own parts under its policy, which refuses everybody else's", async () => {
    const { origin, url } = world.gateways[0]!;
    await using opened = await openPage(browser, origin);
    const { page, complaints, strayRequests } = opened;
    // In place of Apollo's CDN: what it serves is handed the page's settings.
    await page.route(`${script}*`, (route) =>
      route.fulfill({
        contentType: "text/javascript",
        body: "window.EmbeddedSandbox = class { constructor(settings) { window.settings = settings; } };",
      }),
    );
    await page.goto(url);
    expect(await page.evaluate("window.settings")).toMatchObject({
      initialEndpoint: url,
      initialState: { headers: { "x-api-key": "" } },
    });
    const ask = `fetch(location.href, { method: "POST", headers: { "content-type": "application/json" },
      body: '{"query":"{ __typename }"}' }).then((response) => response.json())`;
    expect(await page.evaluate(ask)).toEqual({ data: { __typename: "Query" } });
    const frame = await page.evaluate<string>(`new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.onload = () => resolve("loaded");
      frame.src = "https://sandbox.embed.apollographql.com/sandbox/explorer";
      document.body.append(frame);
    })`);
    expect(frame).toBe("loaded");
    const refused = () => complaints.filter((complaint) => /content security policy/i.test(complaint));
    expect(refused()).toEqual([]);
    expect(strayRequests.map((stray) => new URL(stray).hostname)).toEqual(
      expect.arrayContaining(["fonts.googleapis.com", "sandbox.embed.apollographql.com"]),
    );

    await page.evaluate(`{
      const inline = document.createElement("script");
      inline.textContent = "window.injected = true";
      const foreign = document.createElement("script");
      foreign.src = "https://scripts.example/x.js";
      document.body.append(inline, foreign);
      fetch("https://collector.example/").catch(() => undefined);
    }`);
    const directives = () => refused().flatMap((complaint) => /policy: (\S+)/.exec(complaint)?.[1] ?? []);
    await eventually(() => ["script-src-elem", "connect-src"].every((name) => directives().includes(name)));
    expect(await page.evaluate("window.injected === undefined")).toBe(true);
    expect(strayRequests.join()).not.toMatch(/scripts\.example|collector\.example/);
  }, 60_000);
});

describe("findChromium", () => {
  it("says how to get a browser when there is none", () => {
    expect(() => findChromium({ PATH: "" }, [])).toThrow(/apt-get install chromium.*CHROMIUM_PATH/);
    expect(() => findChromium({ CHROMIUM_PATH: "/nowhere/chromium" })).toThrow("/nowhere/chromium");
  });

  it("takes the program that CHROMIUM_PATH names", () => {
    expect(findChromium({ CHROMIUM_PATH: process.execPath, PATH: "" })).toBe(process.execPath);
  });
});
