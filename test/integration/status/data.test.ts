/** The status page's data over HTTP: who may have them, what is in them, and what is not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "@jest/globals";
import type { Status as PageStatus } from "../../../status-page/status";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import type { Status } from "../../../src/services/status/status";
import { until } from "../../support/until";
import { developmentKey, encryptionKeys, startWorld, type World } from "../../support/world";
import { startBusyWorld, statusOf } from "./busy-world";

const operatorKey = "the-key-of-an-operator";
const otherKey = "the-key-of-a-backend";
const keys = [`operator:${hashApiKey(operatorKey).toString("hex")} rights=gateway:operate`];
keys.push(`backend:${hashApiKey(otherKey).toString("hex")} rights=token:issue:any`);

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(world.gateways[0]!.origin + path, { headers, method });
const codeOf = async (response: Response) => {
  const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
  return [response.status, errors[0]?.extensions.code];
};
const total = ({ totals }: Status, name: RegExp) => totals.find((each) => name.test(each.name))?.count;

describe("who may have the figures", () => {
  it("is who has the right to operate the gateway, and nobody else", async () => {
    world = await startWorld({ environment: { API_KEYS: keys.join(",") } });
    expect(await codeOf(await ask("/status/data"))).toEqual([401, "UNAUTHENTICATED"]);
    expect(await codeOf(await ask("/status/data", { "x-api-key": "guessed" }))).toEqual([
      401,
      "UNAUTHENTICATED",
    ]);
    expect(await codeOf(await ask("/status/data", { "x-api-key": otherKey }))).toEqual([403, "FORBIDDEN"]);
    const response = await ask("/status/data", { "x-api-key": operatorKey });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it("does not let one address guess keys without end", async () => {
    world = await startWorld({ environment: { ADDRESS_REQUESTS_PER_MINUTE: "3" } });
    const answers = [];
    for (let count = 0; count < 5; count++)
      answers.push(await ask("/status/data", { "x-api-key": `${count}` }));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 429, 429]);
  });

  it("gives the development key to pages on this machine alone", async () => {
    world = await startWorld();
    expect(await (await ask("/status/settings.json")).json()).toEqual({ apiKey: developmentKey });
    for (const header of ["x-forwarded-for", "via"]) {
      expect(await (await ask("/status/settings.json", { [header]: "10.0.0.1" })).json()).toEqual({});
    }
    const elsewhere = await ask("/status/settings.json", { origin: "https://elsewhere.example" });
    expect(await elsewhere.json()).toEqual({});
  });
});

describe("what is served", () => {
  it("is a page whose policy allows nothing inline and nothing from elsewhere", async () => {
    world = await startWorld();
    for (const path of ["/status", "/status/"]) {
      const response = await ask(path);
      expect(response.status).toBe(200);
      const policy = response.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
      const html = await response.text();
      expect(html).not.toMatch(/ style=| on[a-z]+=|<script>|<style/);
      const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? "");
      expect(assets.length).toBeGreaterThan(2);
      for (const asset of assets) expect([asset, (await ask(asset)).status]).toEqual([asset, 200]);
    }
    expect((await ask("/status/../package.json")).status).toBe(404);
    expect((await ask("/status/%2e%2e/package.json")).status).toBe(404);
    expect((await ask("/status/nothing")).status).toBe(404);
    expect((await ask("/status", {}, "POST")).status).toBe(405);
    expect((await ask("/statuses")).status).toBe(404);
  });

  it("is nothing when it is switched off", async () => {
    world = await startWorld({ environment: { STATUS_PAGE: "false" }, redis: true });
    for (const path of ["/status", "/status/data", "/status/settings.json"]) {
      expect([path, (await ask(path, { "x-api-key": developmentKey })).status]).toEqual([path, 404]);
    }
  });

  it("refuses what it does not know", async () => {
    world = await startWorld();
    const headers = { "x-api-key": developmentKey };
    expect(await codeOf(await ask("/status/data?span=ever", headers))).toEqual([400, "BAD_REQUEST"]);
    expect((await ask("/status/data?span=long&scope=own", headers)).status).toBe(200);
  });
});

describe("the figures", () => {
  it("move as they should", async () => {
    world = await startBusyWorld();
    const { client } = world;
    const { origin } = world.gateways[0]!;
    // Where the first point begins, nothing says.
    await until(async () => (await statusOf(origin)).history.age.length > 0);
    const before = await statusOf(origin);
    expect([total(before, /^Tokens served/), total(before, /^Identities created/)]).toEqual([0, 0]);
    const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
    for (let count = 0; count < 4; count++) {
      await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
    }
    await client.data(RevokeTokensDocument, { identityId });
    await client.send(IssueTokenDocument, { identityId: "nobody's", scopes: ["CHAT"] });
    const counted = async () => {
      const { window } = await statusOf(origin);
      return window.operations.some(({ operation, refused }) => operation === "issueToken" && refused === 1);
    };
    await until(counted);
    const status = await statusOf(origin, "?scope=own");
    expect(total(status, /^Tokens served/)).toBe(4);
    expect(total(status, /^Identities created/)).toBe(1);
    expect(status.revocations).toContainEqual({ cause: "revocation", confirmed: 1, unconfirmed: 0 });
    const azure = status.window.azure.find(({ operation }) => operation === "issueToken");
    expect(azure).toMatchObject({ calls: 1, failed: 0, circuitOpen: false });
    expect(azure?.p50).toBeGreaterThan(0);
    const issued = status.window.operations.find(({ operation }) => operation === "issueToken");
    expect(issued).toMatchObject({ count: 5, refused: 1, failed: 0 });
    expect(issued?.p50).toBeGreaterThan(0);
    expect(issued?.p99).toBeGreaterThanOrEqual(issued?.p50 ?? Infinity);
    expect(status.window.errors).toContainEqual({ name: "BAD_USER_INPUT", count: 1 });
    const { figures, age } = status.history;
    const seconds = age.map((each, at) => (age[at - 1] ?? each + status.stepSeconds) - each);
    const summed = (name: "cached" | "issued" | "operations") =>
      figures[name].reduce<number>((sum, rate, at) => sum + (rate ?? 0) * (seconds[at] ?? 0), 0);
    expect(summed("cached")).toBeCloseTo(3, 0);
    expect(summed("issued")).toBeCloseTo(1, 0);
    expect(Math.max(...figures.hitRatio.map((ratio) => ratio ?? 0))).toBeGreaterThan(0.5);
    expect(Math.min(...figures.memory.map((bytes) => bytes ?? 0))).toBeGreaterThan(1e7);
  });

  it("tell of Azure's troubles", async () => {
    world = await startBusyWorld();
    const { client } = world;
    const { origin } = world.gateways[0]!;
    const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
    world.emulator.faults.add({ kind: "status", status: 503, operation: "issueAccessToken" });
    for (let count = 0; count < 12; count++) {
      await client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
    }
    const isTold = async () => {
      const { concerns, window } = await statusOf(origin);
      const row = window.azure.find(({ operation }) => operation === "issueToken");
      return (
        row?.circuitOpen === true &&
        row.failed > 0 &&
        concerns[0]?.level === "trouble" &&
        concerns.some(({ text }) => /issueToken.*circuit to Azure is open/.test(text)) &&
        concerns.some(({ text }) => text.includes("operations of the last minutes failed"))
      );
    };
    await until(isTold);
  });

  it("hold no secret, no token and nobody's identity", async () => {
    world = await startBusyWorld({
      redis: true,
      gateways: 2,
      environment: { API_KEYS: keys.join(",") },
    });
    const { client } = world;
    const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
    const { token } = (await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken
      .accessToken;
    await client.data(RevokeTokensDocument, { identityId });
    await until(async () => (await statusOf(world.gateways[0]!.origin)).replicas.list.length === 2);
    const text = JSON.stringify(await statusOf(world.gateways[0]!.origin, "?span=long"));
    const accessKey = /accesskey=([^;]+)/i.exec(world.emulator.connectionString)?.[1] ?? "";
    const secrets = [
      developmentKey,
      operatorKey,
      accessKey,
      identityId,
      token,
      encryptionKeys.split(":")[1] ?? "",
    ];
    for (const secret of [...secrets, ...keys.map((key) => key.split(/[: ]/)[1] ?? "")]) {
      expect(secret.length).toBeGreaterThan(8);
      expect(text).not.toContain(secret);
    }
    expect(text).not.toMatch(/8:acs:|eyJ/);
  });

  it("have the form that the page was written for", () => {
    // The compiler's to judge: the page and the gateway share a protocol, and no code.
    const asThePageReads = (status: Status): PageStatus => status;
    expect(asThePageReads).toBeInstanceOf(Function);
  });
});

it("is small", async () => {
  world = await startWorld();
  const folder = join(__dirname, "..", "..", "..", "dist", "status");
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const assets = [...html.matchAll(/(?:src|href)="\/status\/([^"]+)"/g)].map(([, name]) => name ?? "");
  const bytes = assets.map((name) => readFileSync(join(folder, name)).length);
  expect(bytes.reduce((sum, length) => sum + length, html.length)).toBeLessThan(60_000);
});
