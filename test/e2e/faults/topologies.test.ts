/** What Redis's own ways of being several servers bring about: a fenced primary, a moved slot, a successor. */
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { startCluster } from "../../support/redis-cluster";
import { ask, startSentinel, type RedisGroup } from "../../support/redis-sentinel";
import { until } from "../../support/until";
import { encryptionKeys, startWorld } from "../../support/world";
import type { Readiness } from "../../../src/services/telemetry/health";

async function worldOn(redis: RedisGroup) {
  const world = await startWorld({
    gateways: 2,
    environment: { REDIS_URL: redis.url, TOKEN_ENCRYPTION_KEYS: encryptionKeys },
  });
  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async (gateway = 0) => {
    const { client } = world.gateways[gateway]!;
    const { issueToken } = await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
    const { token, source } = issueToken.accessToken;
    return { source, active: world.emulator.introspect(token).active };
  };
  const ready = async () => {
    const response = await fetch(`${world.gateways[0]!.origin}/health/ready`);
    return ((await response.json()) as Readiness).parts.redis?.state;
  };
  const revoke = (gateway = 0) =>
    world.gateways[gateway]!.client.send(RevokeTokensDocument, { identityId }).then(({ errors }) => !errors);
  return { world, issue, ready, revoke, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

it("does not read from a primary that has lost its replicas", async () => {
  await using redis = await startSentinel();
  await using on = await worldOn(redis);
  const { world, issue, ready } = on;
  expect(await issue()).toEqual({ source: "ISSUED", active: true });
  await until(async () => (await issue(1)).source === "CACHE");
  const [primary] = await redis.primaries();
  const replicas = redis.nodes.filter((node) => node !== primary);
  for (const replica of replicas) replica.pause();
  await until(async () => (await ready()) === "away");
  expect(world.events.lines.some((line) => line.includes('"reason":"NOREPLICAS"'))).toBe(true);
  expect(await issue()).toEqual({ source: "ISSUED", active: true });
  for (const replica of replicas) replica.resume();
  await until(async () => (await issue()).source === "CACHE", 20_000);
}, 60_000);

it("follows a primary's successor, believes nothing that the old one wrote, and serves no dead token", async () => {
  await using redis = await startSentinel();
  await using on = await worldOn(redis);
  const { issue, ready, revoke } = on;
  await issue();
  const [primary] = await redis.primaries();
  const killedAt = performance.now();
  await primary?.kill();
  const early = await issue(1);
  expect(early).toEqual({ source: "ISSUED", active: true });
  await until(async () => (await ready()) === "away");
  await until(async () => (await ready()) === "ok", 30_000);
  console.log(`away for ${((performance.now() - killedAt) / 1000).toFixed(1)} s (down-after 3 s)`);
  // Its copy of the cache is of the old primary's time.
  expect(await issue()).toEqual({ source: "ISSUED", active: true });
  await until(async () => (await issue(1)).source === "CACHE");
  expect(await revoke()).toBe(true);
  for (const gateway of [0, 1]) expect((await issue(gateway)).active).toBe(true);
}, 60_000);

it("goes with a slot that moves to another primary of a Cluster, and serves no dead token on the way", async () => {
  await using redis = await startCluster();
  await using on = await worldOn(redis);
  const { issue, revoke } = on;
  await issue();
  const primaries = await redis.primaries();
  const keys = await Promise.all(
    primaries.map(async (node) => [node, (await ask(node.port, "KEYS", "acsgw:{*}")) as string[]] as const),
  );
  const held = keys.flatMap(([node, names]) =>
    names.filter((name) => !name.includes("creates")).map((name) => ({ node, name })),
  );
  expect(held).toHaveLength(1);
  const [{ node: from, name }] = held as [(typeof held)[0]];
  const to = primaries.find((node) => node !== from)!;
  const slot = String(await ask(from.port, "CLUSTER", "KEYSLOT", name));
  const idOf = async (port: number) => String(await ask(port, "CLUSTER", "MYID"));
  const [fromId, toId] = [await idOf(from.port), await idOf(to.port)];
  await ask(to.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
  await ask(from.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
  expect((await issue()).active).toBe(true);
  await ask(from.port, "MIGRATE", "127.0.0.1", String(to.port), name, "0", "1000");
  // The key is at its new primary, and the slot still the old one's: ASK.
  expect((await issue(1)).active).toBe(true);
  expect(await revoke()).toBe(true);
  expect((await issue(1)).active).toBe(true);
  for (const node of [to, from, ...primaries]) await ask(node.port, "CLUSTER", "SETSLOT", slot, "NODE", toId);
  await until(async () => (await issue()).source === "CACHE" && (await issue(1)).source === "CACHE");
  expect(await revoke(1)).toBe(true);
  for (const gateway of [0, 1, 0, 1]) expect((await issue(gateway)).active).toBe(true);
}, 60_000);
