/** A lost Redis loses no request and brings no revoked token back. */
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import {
  CreateIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { RedisUnusable } from "../../../src/services/redis/redis-connection";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";
import type { Readiness } from "../../../src/services/telemetry/health";

let world: World;
let id: string;
beforeEach(async () => {
  world = await startWorld({ redis: true, gateways: 2, environment: { REDIS_TIMEOUT_MS: "100" } });
  id = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const issue = async (gateway = 0, identityId = id) =>
  (
    await (world.gateways[gateway]?.client ?? world.client).data(IssueTokenDocument, {
      identityId,
      scopes: ["CHAT"],
    })
  ).issueToken.accessToken;
const ready = async () => {
  const response = await fetch(`${world.gateways[0]?.origin ?? ""}/health/ready`);
  const { status, parts } = (await response.json()) as Readiness;
  return { status, redis: parts.redis?.state };
};
const told = (text: string) => world.events.lines.filter((line) => line.includes(text));

const outages: [string, () => Promise<void>, () => Promise<void>][] = [
  ["read-only", () => ask("REPLICAOF", "127.0.0.1", "1"), () => ask("REPLICAOF", "NO", "ONE")],
  ["killed", async () => world.redis?.kill(), async () => world.redis?.restart()],
  [
    "frozen",
    () => {
      world.redis?.pause();
      return Promise.resolve();
    },
    () => {
      world.redis?.resume();
      return Promise.resolve();
    },
  ],
];

it.each(outages)(
  "issues while Redis is %s without waiting for it, says that it is degraded, and caches again afterwards",
  async (_how, lose, restore) => {
    expect(await ready()).toEqual({ status: "ready", redis: "ok" });
    await issue();
    await lose();
    const token = await issue();
    expect(token.source).toBe("ISSUED");
    expect(world.emulator.introspect(token.token)).toMatchObject({ active: true });
    await until(async () => (await ready()).status === "degraded");
    expect(await ready()).toEqual({ status: "degraded", redis: "away" });
    // One request has waited for Redis, and none does after it has been missed.
    const away = () => told("Redis is away").length;
    await until(() => away() === world.gateways.length);
    const before = world.events.lines.length;
    for (let index = 0; index < 10; index++) await issue();
    const since = world.events.lines.slice(before).filter((line) => line.includes("token store unavailable"));
    expect(since).toHaveLength(10);
    expect(since.every((line) => line.includes('"reason":"AWAY"'))).toBe(true);
    expect(away()).toBe(world.gateways.length);
    expect((await world.client.data(IdentityDocument, { identityId: id })).identity?.cachedTokens).toEqual(
      [],
    );
    await restore();
    await until(async () => (await issue()).source === "CACHE" && (await issue(1)).source === "CACHE");
  },
);

it.each(outages)(
  "tells the truth when it revokes while Redis is %s, completes it by itself or when asked again, and serves nothing from before",
  async (_how, lose, restore) => {
    const alone = id;
    const again = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
    const tokens = [await issue(0, alone), await issue(0, again)];
    await lose();
    for (const identityId of [alone, again]) {
      const error = await world.client.error(RevokeTokensDocument, { identityId });
      expect(error).toMatchObject({ status: 503, extensions: { code: "CACHE_UNAVAILABLE" } });
    }
    for (const { token } of tokens)
      expect(world.emulator.introspect(token)).toMatchObject({ active: false, reason: "revoked" });
    const stale: string[] = [];
    const check = async (gateway: number, identityId: string) => {
      const { token } = await issue(gateway, identityId);
      if (!world.emulator.introspect(token).active) stale.push(token);
    };
    await check(0, alone);
    await restore();
    const revoke = () => world.client.send(RevokeTokensDocument, { identityId: again });
    await until(async () => {
      await check(0, alone);
      return (await revoke()).errors === undefined;
    });
    await until(async () => {
      await check(0, alone);
      return told("cleared of what was revoked meanwhile").length > 0;
    });
    for (const identityId of [alone, again])
      for (const gateway of [0, 1, 0, 1]) await check(gateway, identityId);
    expect(stale).toEqual([]);
  },
);

it("asks Azure one call at a time per key while Redis is away", async () => {
  await world.redis?.kill();
  world.emulator.faults.add({ kind: "latency", latencyMs: 100 });
  const calls = world.emulator.worked("issueAccessToken");
  const answers = await Promise.all(Array.from({ length: 40 }, () => issue()));
  expect(new Set(answers.map(({ token }) => token)).size).toBeLessThanOrEqual(3);
  expect(world.emulator.worked("issueAccessToken") - calls).toBeLessThanOrEqual(3);
});

it("caches again at once after a revocation whose beginning Redis carried out too late to say so", async () => {
  world.redis?.pause();
  const revoking = world.client.data(RevokeTokensDocument, { identityId: id });
  // By then the gateway has given up on the beginning, and it has not come to the end.
  await until(() => Promise.resolve(world.emulator.worked("revokeAccessTokens") === 1));
  world.redis?.resume();
  await revoking;
  // A heartbeat may have missed it meanwhile.
  await until(() => told("Redis is away").length === told("Redis is back").length);
  expect((await issue()).source).toBe("ISSUED");
  expect((await issue(1)).source).toBe("CACHE");
});

it("issues again and again while Redis is full, and still revokes", async () => {
  await configure("maxmemory", "1");
  // Each takes no longer than Azure does: none waits for a lease that another has left behind.
  const startedAt = performance.now();
  for (const gateway of [0, 1, 0, 1]) expect((await issue(gateway)).source).toBe("ISSUED");
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  await until(async () => (await ready()).redis === "full");
  expect((await ready()).status).toBe("degraded");
  expect(world.emulator.worked("issueAccessToken")).toBe(4);
  await world.client.data(RevokeTokensDocument, { identityId: id });
  await configure("maxmemory", "0");
  await issue();
  expect((await issue(1)).source).toBe("CACHE");
});

it("does not start on a Redis that is not there, and says which", async () => {
  await world.redis?.kill();
  await expect(world.addGateway()).rejects.toThrow(RedisUnusable);
  await expect(world.addGateway()).rejects.toThrow(
    `127.0.0.1:${world.redis?.port ?? 0} does not answer (ECONNREFUSED)`,
  );
});

const configure = (parameter: string, value: string) => ask("CONFIG", "SET", parameter, value);

async function ask(command: string, ...args: string[]): Promise<void> {
  const redis = new Redis(world.redis?.url ?? "");
  try {
    await redis.call(command, ...args);
  } finally {
    redis.disconnect();
  }
}
