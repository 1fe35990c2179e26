/** Azure can fail in every way it likes: callers get a clear code in bounded time, and never its text. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import type { FaultKind } from "../../../emulator/emulator";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  IssueTokenDocument,
} from "../../../operations/generated/operations";
import { stopClocks } from "../../support/stopped-clocks";
import { startWorld, type RunningGateway, type World } from "../../support/world";

let world: World;
/** Of a gateway whose calls to Azure have not failed yet. */
let gateway: RunningGateway;
let id: string;
beforeAll(async () => {
  world = await startWorld({ environment: { ACS_TIMEOUT_MS: "1000" } });
  stopClocks();
});
beforeEach(async () => {
  gateway = await world.addGateway();
  id = (await gateway.client.data(CreateIdentityDocument)).createIdentity.identity.id;
});
afterEach(async () => {
  world.emulator.faults.clear();
  await gateway[Symbol.asyncDispose]();
});
afterAll(async () => {
  jest.useRealTimers();
  await world[Symbol.asyncDispose]();
});

const issue = () => gateway.client.send(IssueTokenDocument, { identityId: id, scopes: ["CHAT"] });
const leak = "eyJhbGciOiJSUzI1NiJ9.eyJsZWFrIjoxfQ.c2lnbmF0dXJl accesskey=bGVhaw==";

const failures: [string, FaultKind, string, number][] = [
  [
    "401 Denied",
    { kind: "status", status: 401, body: `{"error":{"code":"Denied","message":"${leak}"}}` },
    "UPSTREAM_REJECTED",
    502,
  ],
  ["403", { kind: "status", status: 403, body: leak }, "UPSTREAM_REJECTED", 502],
  [
    "400 of no field of ours",
    { kind: "status", status: 400, body: `{"error":{"code":"UnsupportedApiVersion","message":"${leak}"}}` },
    "UPSTREAM_REJECTED",
    502,
  ],
  ["404", { kind: "status", status: 404, body: leak }, "IDENTITY_NOT_FOUND", 404],
  ["409", { kind: "status", status: 409, body: leak }, "UPSTREAM_UNAVAILABLE", 503],
  ["429 without Retry-After", { kind: "status", status: 429, body: leak }, "RATE_LIMITED", 429],
  [
    "429 for an hour",
    { kind: "status", status: 429, headers: { "retry-after": "3600" } },
    "RATE_LIMITED",
    429,
  ],
  ["500", { kind: "status", status: 500, body: leak }, "UPSTREAM_UNAVAILABLE", 503],
  [
    "503 for an hour",
    { kind: "status", status: 503, headers: { "retry-after": "3600" } },
    "UPSTREAM_UNAVAILABLE",
    503,
  ],
  ["an HTML page with 502", { kind: "html502" }, "UPSTREAM_UNAVAILABLE", 503],
  [
    "another success status, with the token in the SDK's error",
    { kind: "wrongSuccess" },
    "UPSTREAM_UNAVAILABLE",
    503,
  ],
  ["no expiry", { kind: "missingExpiresOn" }, "UPSTREAM_UNAVAILABLE", 503],
  ["half of its JSON", { kind: "malformedJson" }, "UPSTREAM_UNAVAILABLE", 503],
  ["a reset before it worked", { kind: "resetBefore" }, "UPSTREAM_UNAVAILABLE", 503],
  ["a reset after it worked", { kind: "resetAfter" }, "UPSTREAM_UNAVAILABLE", 503],
  ["a reset inside the body", { kind: "resetInBody" }, "UPSTREAM_UNAVAILABLE", 503],
  ["silence", { kind: "hang" }, "UPSTREAM_UNAVAILABLE", 503],
  ["silence after it worked", { kind: "hangAfter" }, "UPSTREAM_UNAVAILABLE", 503],
];

describe.each(failures)("when Azure answers with %s", (_what, kind, code, status) => {
  it("answers with a code in bounded time, tells nothing of Azure's, and works again afterwards", async () => {
    world.emulator.faults.add({ ...kind, operation: "issueAccessToken" });
    const { errors, status: got } = await issue();
    expect(errors?.[0]?.extensions.code).toBe(code);
    expect(got).toBe(status);
    expect(JSON.stringify(errors)).not.toMatch(/eyJ|accesskey|html/i);
    expect(world.events.lines.join()).not.toMatch(/eyJ|bGVhaw/);
    world.emulator.faults.clear();
    expect((await issue()).data?.issueToken.accessToken.source).toBe("ISSUED");
  });
});

it.each([
  ["500", { kind: "status", status: 500 }],
  ["a reset before it worked", { kind: "resetBefore" }],
  ["a reset after it worked", { kind: "resetAfter" }],
  ["429 for no time", { kind: "status", status: 429, headers: { "retry-after": "0" } }],
] as [string, FaultKind][])("tries issuing again after %s", async (_what, kind) => {
  world.emulator.faults.add({ ...kind, operation: "issueAccessToken", times: 2 });
  expect((await issue()).data?.issueToken.accessToken.source).toBe("ISSUED");
});

it("says how long to wait when Azure says so", async () => {
  world.emulator.faults.add({
    kind: "status",
    status: 429,
    headers: { "retry-after": "77" },
    operation: "issueAccessToken",
  });
  const { errors, headers } = await issue();
  expect(errors?.[0]?.extensions).toEqual({ code: "RATE_LIMITED", retryAfterSeconds: 77 });
  expect(headers.get("retry-after")).toBe("77");
});

it.each([
  ["without a token", CreateIdentityDocument, "createIdentity"],
  ["with a token", CreateIdentityAndTokenDocument, "createIdentityWithToken"],
] as const)("never repeats a create %s whose answer was lost", async (_what, document, operation) => {
  const before = world.emulator.identities.list().length;
  world.emulator.faults.add({ kind: "resetAfter", operation });
  const error = await gateway.client.error(String(document));
  expect(error.extensions.code).toBe("UPSTREAM_UNAVAILABLE");
  expect(world.emulator.identities.list().length).toBe(before + 1);
});

it.each([
  ["createIdentity", String(CreateIdentityDocument)],
  [
    "exchangeTeamsToken",
    `mutation { exchangeTeamsToken(input: {teamsUserAadToken: "x", clientId: "y", userObjectId: "z"}) { accessToken { token } } }`,
  ],
])("blames no identity of the caller's for a 404 to %s, which names none", async (operation, document) => {
  world.emulator.faults.add({ kind: "status", status: 404, operation, times: 1 });
  const error = await gateway.client.error(document);
  expect(error).toMatchObject({ status: 502, extensions: { code: "UPSTREAM_REJECTED" } });
  expect(error.extensions).not.toHaveProperty("argument");
});

it("serves what is cached while Azure is away", async () => {
  const first = await issue();
  world.emulator.faults.add({ kind: "hang" });
  const second = await issue();
  expect(second.data?.issueToken.accessToken).toEqual({
    ...first.data?.issueToken.accessToken,
    source: "CACHE",
  });
});

it("cancels an issuance when nobody waits for it any more, and not before", async () => {
  world.emulator.faults.add({ kind: "latency", latencyMs: 600, operation: "issueAccessToken", times: 1 });
  const [leaving, staying] = [new AbortController(), new AbortController()];
  const send = (signal: AbortSignal) =>
    gateway.client.send(IssueTokenDocument, { identityId: id, scopes: ["CHAT"] }, { signal });
  const left = send(leaving.signal).catch(() => "left");
  const stayed = send(staying.signal);
  setTimeout(() => {
    leaving.abort();
  }, 100);
  expect(await left).toBe("left");
  expect((await stayed).data?.issueToken.accessToken.source).toBe("ISSUED");
});
