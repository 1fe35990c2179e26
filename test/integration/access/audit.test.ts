/** The audit: who did what to whom, how it ended and from where, a line for each, and never a token. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "@jest/globals";
import { systemClock } from "../../../src/services/clock";
import { createAudit, type AuditRecord } from "../../../src/services/telemetry/audit";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { startWorld, type World } from "../../support/world";

let world: World;
let issuer: Issuer;
let lines: string[];
const records = () => lines.map((line) => JSON.parse(line) as AuditRecord & { time: string; audit: number });

beforeAll(async () => {
  issuer = await startIssuer();
  lines = [];
  const stream = { write: (some: string) => void lines.push(...some.trimEnd().split("\n")) };
  world = await startWorld({
    environment: {
      OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
      TRUSTED_PROXIES: "loopback",
    },
    parts: { audit: createAudit("stdout", systemClock, stream) },
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});
beforeEach(() => {
  lines.length = 0;
});

const from = { "x-forwarded-for": "203.0.113.7", "x-request-id": "the-request" };
const around = { audit: 1, address: "203.0.113.7", requestId: "the-request" };
const service = { kind: "service", name: "development" };
const asService = () =>
  new GraphqlClient(world.client.url, { "x-api-key": "a-development-key-for-tests", ...from });
const asUser = async (subject: string, acs: string) =>
  new GraphqlClient(world.client.url, {
    authorization: `Bearer ${await issuer.token(subject, { acs })}`,
    ...from,
  });

interface Created {
  readonly createIdentity: {
    readonly identity: { readonly id: string };
    readonly accessToken: { readonly token: string };
  };
}

it("has each thing done by a service and by a user, with its outcome", async () => {
  const client = asService();
  const created = await client.data<Created, object>(
    "mutation { createIdentity(input: { scopes: [CHAT], expiresInMinutes: 60 }) { identity { id } accessToken { token } } }",
  );
  const { id } = created.createIdentity.identity;
  const user = await asUser("alice", id);
  await user.data(
    "mutation { issueToken(input: { scopes: [CHAT], expiresInMinutes: 60 }) { accessToken { token } } }",
  );
  await user.send(
    `mutation { issueToken(input: { identityId: "${id}x", scopes: [VOIP] }) { accessToken { token } } }`,
  );
  await user.data("mutation { revokeTokens(input: {}) { effectiveBy } }");
  await user.send(
    'mutation { exchangeTeamsToken(input: { teamsUserAadToken: "x", clientId: "x", userObjectId: "00000000-0000-4000-8000-00000000000a" }) { accessToken { token } } }',
  );
  await user.send("mutation { createIdentity { identity { id } } }");
  await client.data(`mutation { deleteIdentity(input: { identityId: "${id}" }) { deletedId } }`);
  const alice = { kind: "user", name: "alice", issuer: issuer.url };
  expect(records()).toMatchObject([
    {
      ...around,
      action: "identity.create",
      outcome: "ok",
      caller: service,
      identityId: id,
      scopes: ["chat"],
      lifetimeMinutes: 60,
    },
    {
      ...around,
      action: "token.issue",
      outcome: "ok",
      caller: alice,
      identityId: id,
      scopes: ["chat"],
      source: "cache",
    },
    {
      ...around,
      action: "token.issue",
      outcome: "FORBIDDEN",
      caller: alice,
      identityId: `${id}x`,
      scopes: ["voip"],
    },
    { ...around, action: "token.revoke", outcome: "ok", caller: alice, identityId: id },
    {
      ...around,
      action: "token.exchange",
      outcome: "FORBIDDEN",
      caller: alice,
      userObjectId: "00000000-0000-4000-8000-00000000000a",
    },
    { ...around, action: "identity.create", outcome: "FORBIDDEN", caller: alice },
    { ...around, action: "identity.delete", outcome: "ok", caller: service, identityId: id },
  ]);
  for (const { time } of records()) expect(Date.parse(time)).toBeCloseTo(Date.now(), -5);
  expect(lines.join("")).not.toContain(created.createIdentity.accessToken.token);
});

it("has credentials that were refused, without them", async () => {
  const { url } = world.client;
  await new GraphqlClient(url, { "x-api-key": "a guess of a key", ...from }).send("{ viewer { name } }");
  await new GraphqlClient(url, {
    authorization: "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    ...from,
  }).send("{ viewer { name } }");
  const refused = { ...around, action: "caller.authenticate", outcome: "UNAUTHENTICATED" };
  expect(records()).toMatchObject([refused, refused]);
  for (const record of records()) expect(record.caller).toBeUndefined();
  expect(lines.join("")).not.toMatch(/guess|eyJ/);
});

it("has short lines without what has not passed its check, whatever clients send", async () => {
  const user = await asUser("alice", "8:acs:00000000-0000-4000-8000-000000000000_x");
  const issue = "mutation ($input: IssueTokenInput!) { issueToken(input: $input) { identity { id } } }";
  const revoke = "mutation ($input: RevokeTokensInput!) { revokeTokens(input: $input) { effectiveBy } }";
  const remove = "mutation ($input: DeleteIdentityInput!) { deleteIdentity(input: $input) { deletedId } }";
  const exchange =
    "mutation ($input: ExchangeTeamsTokenInput!) { exchangeTeamsToken(input: $input) { accessToken { token } } }";
  const texts = [
    `${"a".repeat(90_000)}@`,
    "eyJ".repeat(30_000),
    "password ".repeat(10_000),
    "\u0001".repeat(15_000),
  ];
  for (const text of texts) {
    for (const client of [asService(), user]) {
      await client.send(issue, { input: { identityId: text, scopes: ["CHAT"] } });
      await client.send(revoke, { input: { identityId: text } });
      await client.send(remove, { input: { identityId: text, device: text.slice(0, 500) } });
      await client.send(exchange, { input: { teamsUserAadToken: "x", clientId: "x", userObjectId: text } });
    }
  }
  await user.send(issue, { input: { device: "phone", scopes: Array.from({ length: 9_000 }, () => "CHAT") } });
  const all = records();
  expect(all).toHaveLength(texts.length * 8 + 1);
  for (const { identityId, userObjectId } of all)
    expect([identityId, userObjectId]).toEqual([undefined, undefined]);
  for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThan(500);
  expect(all.at(-1)).toMatchObject({ action: "token.issue", scopes: ["chat"] });
});

it("has nothing that looks like a token, even where a caller's own words stand", async () => {
  const user = await asUser(
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln",
    "8:acs:00000000-0000-4000-8000-000000000000_x",
  );
  await user.send("mutation { revokeTokens(input: {}) { effectiveBy } }");
  await asService().send(
    'mutation { deleteIdentity(input: { identityId: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln" }) { deletedId } }',
  );
  expect(records()).toHaveLength(2);
  expect(lines.join("")).not.toContain("eyJ");
});

it("is one line of JSON whatever strangers have chosen, with everything that is known and no secret", () => {
  const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln";
  const key = "kH3nqk0lQZ5zmhI4Tqg2xq8H1mT8cVbYtZ0aPz-w_3E";
  const written: string[] = [];
  const audit = createAudit("stdout", systemClock, { write: (some) => void written.push(some) });
  const hostile = [
    '"',
    "\\",
    '\n{"audit":1}',
    "\u2028",
    "\u001b[31m",
    token,
    `x ${token}`,
    "bearer ".padEnd(30, "x"),
  ];
  for (const text of hostile) {
    const caller = { kind: "user", name: text, user: { issuer: text } };
    const rest = { device: text, userObjectId: text, change: text, identityId: text } as const;
    audit.record({ action: "token.issue", outcome: "FORBIDDEN", caller, ...rest });
    audit.flush();
    const [line, end, ...more] = written.splice(0).join("").split("\n");
    expect([end, more]).toEqual(["", []]);
    const {
      caller: told,
      device,
      userObjectId,
      change,
      identityId,
    } = JSON.parse(line ?? "") as AuditRecord & {
      caller: { name: string; issuer: string };
    };
    expect(new Set([told.name, told.issuer, device, change]).size).toBe(1);
    // What is no id is not entered.
    expect([userObjectId, identityId]).toEqual([undefined, undefined]);
    if (/eyJ|bearer/.test(text)) expect(line).not.toMatch(/eyJ|x{16}/);
    else expect(device).toBe(text);
  }
  const about = { action: "token.issue", outcome: "ok", caller: undefined } as const;
  const known = {
    scopes: [],
    lifetimeMinutes: 60,
    source: "issued",
    address: "::1",
    traceId: "0af7",
  } as const;
  audit.record({ ...about, ...known, requestId: key });
  audit.flush();
  expect(JSON.parse(written.join(""))).toEqual({
    audit: 1,
    time: expect.any(String) as unknown,
    action: "token.issue",
    outcome: "ok",
    ...known,
    requestId: "[key]",
  });
});

it("has a read recorded by nobody: only what is done to identities and tokens", async () => {
  await asService().send("{ viewer { name } }");
  expect(lines).toEqual([]);
});

it("goes to a file that only its owner reads", async () => {
  const folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-audit-"));
  try {
    const file = join(folder, "deeper", "audit.log");
    createAudit({ file }, systemClock).record({ action: "token.issue", outcome: "ok", caller: undefined });
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
      audit: 1,
      action: "token.issue",
      outcome: "ok",
    });
    expect((await stat(file)).mode & 0o077).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
