/** What a gateway serves under /status: a page of files, without figures and without secrets. */
import { afterEach, expect, it } from "@jest/globals";
import { developmentKey, startWorld, type World } from "../../support/world";

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});
const get = (path: string, init: RequestInit = {}) => fetch(world.gateways[0]!.origin + path, init);

it("serves a small page whose policy allows nothing inline and nothing from elsewhere, the same to everybody", async () => {
  world = await startWorld();
  for (const path of ["/status", "/status/"]) {
    const response = await get(path);
    expect(response.status).toBe(200);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
    const html = await response.text();
    expect(html).not.toMatch(/ style=| on[a-z]+=|<script>|<style/);
    expect(await (await get(path, { headers: { "x-api-key": developmentKey } })).text()).toBe(html);
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? "");
    expect(assets.length).toBeGreaterThan(2);
    let bytes = html.length;
    for (const asset of assets) {
      const file = await get(asset);
      expect([asset, file.status]).toEqual([asset, 200]);
      const text = await file.text();
      expect(text).not.toContain(developmentKey);
      bytes += text.length;
    }
    expect(bytes).toBeLessThan(100_000);
  }
});

it("serves nothing else, and to reading requests alone", async () => {
  world = await startWorld();
  const paths = ["/status/../package.json", "/status/%2e%2e/package.json", "/status/nothing", "/statuses"];
  for (const path of [...paths, "/status/data", "/status/settings.json"]) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
  const posted = await get("/status", { method: "POST" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});
