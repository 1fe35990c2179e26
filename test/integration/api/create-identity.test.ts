/** Over HTTP: an identity that its caller did not receive is deleted. */
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  IssueTokenDocument,
} from "../../../operations/generated/operations";
import { alive } from "../identities/replica";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

let world: World;
beforeEach(async () => {
  world = await startWorld({
    environment: { ACS_TIMEOUT_MS: "1000" },
    parts: { orphans: { firstRetryMs: 100 } },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const documents = [
  ["without a token", CreateIdentityDocument, "createIdentity"],
  ["with a token", CreateIdentityAndTokenDocument, "createIdentityWithToken"],
] as const;
const everyOrphanIsGone = () =>
  until(() => world.emulator.identities.list().length > 0 && alive(world.emulator).length === 0);
const told = (what: string) => world.events.lines.filter((line) => line.includes(what)).length;
const lost = () => told("a create's outcome is unknown");

it.each(documents)("answers with an identity %s that stays", async (_what, document, _operation) => {
  const { createIdentity } = await world.client.data<
    { createIdentity: { identity: { id: string } } },
    Record<string, unknown>
  >(String(document), {});
  expect(alive(world.emulator)).toEqual([createIdentity.identity.id]);
  const issued = await world.client.send(IssueTokenDocument, {
    identityId: createIdentity.identity.id,
    scopes: ["CHAT"],
  });
  expect(issued.errors).toBeUndefined();
  expect(told("no caller received") + lost()).toBe(0);
});

it.each(documents)(
  "says in time that Azure is late for an identity %s, and deletes it",
  async (_w, document, operation) => {
    world.emulator.faults.add({ kind: "answerLate", latencyMs: 3_000, operation, times: 1 });
    const startedAt = performance.now();
    const error = await world.client.error(String(document));
    expect(performance.now() - startedAt).toBeLessThan(2_800);
    expect(error).toMatchObject({ status: 503, extensions: { code: "UPSTREAM_UNAVAILABLE" } });
    await everyOrphanIsGone();
    expect(lost()).toBe(0);
  },
);

it.each(documents)(
  "deletes an identity %s whose caller disconnects before the answer",
  async (_w, document, operation) => {
    world.emulator.faults.add({ kind: "answerLate", latencyMs: 300, operation, times: 1 });
    const caller = new AbortController();
    const gone = world.client.send(String(document), {}, { signal: caller.signal }).catch(() => "gone");
    await until(() => alive(world.emulator).length === 1);
    caller.abort();
    expect(await gone).toBe("gone");
    await everyOrphanIsGone();
    expect(lost()).toBe(0);
  },
);

it("deletes the identity of an answer that a later mutation of the same document made empty", async () => {
  world.emulator.faults.add({ kind: "status", status: 429, operation: "createIdentityWithToken" });
  const { data, errors } = await world.client.send(
    `mutation {
      first: createIdentity { identity { id } }
      second: createIdentity(input: { scopes: [CHAT] }) { identity { id } }
    }`,
  );
  expect(data ?? null).toBeNull();
  expect(errors?.[0]?.extensions.code).toBe("RATE_LIMITED");
  await everyOrphanIsGone();
});

it("loads no database engine for a gateway without an embedded directory", () => {
  expect(Object.keys(require.cache).filter((file) => file.includes("/@electric-sql/"))).toEqual([]);
  expect(Object.keys(require.cache).filter((file) => file.endsWith("/src/gateway.ts"))).toHaveLength(1);
});

it("keeps every identity of a document that makes several", async () => {
  const { data } = await world.client.send<Record<string, { identity: { id: string } }>>(
    `mutation { a: createIdentity { identity { id } } b: createIdentity { identity { id } } }`,
  );
  const ids = Object.values(data ?? {}).map(({ identity }) => identity.id);
  expect(ids).toHaveLength(2);
  expect(alive(world.emulator).sort()).toEqual(ids.sort());
});

it("deletes an identity whose token is not usable", async () => {
  world.emulator.faults.add({ kind: "missingExpiresOn", operation: "createIdentityWithToken", times: 1 });
  const error = await world.client.error(String(CreateIdentityAndTokenDocument));
  expect(error.extensions.code).toBe("UPSTREAM_UNAVAILABLE");
  await everyOrphanIsGone();
  expect(lost()).toBe(0);
});

it("reports a lost answer once, and no token or identity with it", async () => {
  world.emulator.faults.add({ kind: "resetAfter", operation: "createIdentityWithToken", times: 1 });
  await world.client.error(String(CreateIdentityAndTokenDocument));
  await until(() => lost() === 1);
  expect(lost()).toBe(1);
  expect(alive(world.emulator)).toHaveLength(1);
  expect(world.events.lines.join()).not.toMatch(/eyJ|8:acs:/);
});
