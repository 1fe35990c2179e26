/** All replicas keep the limit of ACS together: one window in Redis, a local share without it, and no 429 in a burst. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { GatewayError } from "../../../src/errors";
import { RateLimiter, type RateLimits } from "../../../src/services/azure/rate-limiter";
import { RedisWindow } from "../../../src/services/azure/redis-window";
import { connectTo } from "../../support/connect-to";
import { recordEvents } from "../../support/recorded-events";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { until } from "../../support/until";
import { startWorld } from "../../support/world";

let redis: RedisServer;
let raw: Redis;
beforeAll(async () => {
  redis = await startRedis();
  raw = new Redis(redis.url);
});
afterAll(async () => {
  raw.disconnect();
  await redis[Symbol.asyncDispose]();
});

/** Without Redis each replica keeps to its share: on a busy machine Redis may be late. */
const patientWithRedis = { REDIS_TIMEOUT_MS: "1000" };

let serial = 0;

/** The limiters of replicas on one Redis, as three processes have them. */
async function limiters(limits: RateLimits, count = 3, url = redis.url) {
  const keyPrefix = `test${serial++}:`;
  const connections = await Promise.all(
    Array.from({ length: count }, () => connectTo(url, recordEvents(), { keyPrefix })),
  );
  const all = connections.map((connection) => new RateLimiter("issueToken", limits, connection));
  const acquire = (replica = 0) =>
    all[replica]!.acquire({ patienceMs: 0 }).then(
      () => "permit",
      (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
    );
  return {
    keyPrefix,
    connections,
    all,
    acquire,
    /** How many of so many calls, one after the other, are let through. */
    permits: async (asked: number) => {
      let granted = 0;
      for (let index = 0; index < asked; index++) if ((await acquire()) === "permit") granted++;
      return granted;
    },
    [Symbol.asyncDispose]: async () => {
      for (const connection of connections) await connection[Symbol.asyncDispose]();
    },
  };
}

it("gives all replicas together no more than the limit in any window, in the order of asking", async () => {
  const windowMs = 20_000;
  await using three = await limiters({ issuances: 1, windowMs, replicas: 3 });
  const windows = three.connections.map((connection) => new RedisWindow(connection, "rate:{x}", windowMs));
  const waits = await Promise.all(
    Array.from({ length: 150 }, (_, index) => windows[index % 3]!.reserve(50, 2.5 * windowMs)),
  );
  expect(waits.every(({ granted }) => granted)).toBe(true);
  const permits = (await raw.lrange(`${three.keyPrefix}rate:{x}`, 0, -1)).map(Number);
  // It remembers twice the limit and the edge before it.
  expect(permits).toHaveLength(101);
  expect(permits).toEqual([...permits].sort((a, b) => a - b));
  for (let index = 50; index < permits.length; index++)
    expect(permits[index]! - permits[index - 50]!).toBeGreaterThanOrEqual(windowMs);
  // Three windows are the least for 150 permits, and they take no longer.
  expect(permits.at(-1)! - permits[0]!).toBeLessThan(2 * windowMs + 5_000);
  const refused = await windows[0]!.reserve(50, 2.5 * windowMs);
  expect(refused.granted).toBe(false);
  expect(refused.waitMs).toBeGreaterThan(2.5 * windowMs);
  expect(await windows[1]!.used()).toBe(101);
});

it("lets a replica have what the others leave, and counts each operation for itself", async () => {
  await using three = await limiters({ issuances: 4, windowMs: 60_000, replicas: 3 });
  const outcomes = [];
  for (const replica of [0, 0, 1, 2, 0, 1]) outcomes.push(await three.acquire(replica));
  expect(outcomes).toEqual([...Array<string>(4).fill("permit"), "RATE_LIMITED", "RATE_LIMITED"]);
  expect(await three.all[2]!.reading()).toEqual({ limit: 4, remaining: 0, queued: 0 });
  const revocations = new RateLimiter(
    "revokeTokens",
    { issuances: 4, windowMs: 60_000, replicas: 3 },
    three.connections[0],
  );
  expect(await revocations.reading()).toEqual({ limit: 2, remaining: 2, queued: 0 });
});

it("keeps to its share while Redis is away, and for a window after", async () => {
  await using lost = await startRedis();
  await using one = await limiters({ issuances: 30, windowMs: 60_000, replicas: 3 }, 1, lost.url);
  expect(await one.permits(4)).toBe(4);
  await lost.kill();
  expect(await one.permits(20)).toBe(6);
  expect(await one.all[0]!.reading()).toEqual({ limit: 10, remaining: 0, queued: 0 });
  await lost.restart();
  expect(await one.permits(20)).toBe(0);
});

it("has the whole limit again when Redis is back for a window", async () => {
  await using lost = await startRedis();
  await using one = await limiters({ issuances: 30, windowMs: 300, replicas: 3 }, 1, lost.url);
  expect(await one.permits(1)).toBe(1);
  await lost.kill();
  await until(async () => (await one.permits(1)) === 1 && (await one.all[0]!.reading()).limit === 10);
  await lost.restart();
  await until(async () => {
    await one.permits(1);
    return (await one.all[0]!.reading()).limit === 30;
  });
});

it("does not start again when Redis has lost the count", async () => {
  await using one = await limiters({ issuances: 20, windowMs: 60_000, replicas: 1 }, 1);
  expect(await one.permits(25)).toBe(20);
  await raw.del(`${one.keyPrefix}rate:{issueToken}`);
  expect(await one.permits(5)).toBe(0);
});

it("gives permits again when Redis's clock was set back", async () => {
  await using one = await limiters({ issuances: 20, windowMs: 1_000, replicas: 1 }, 1);
  await raw.rpush(`${one.keyPrefix}rate:{issueToken}`, Date.now() + 600_000);
  expect(await one.permits(1)).toBe(1);
});

it("says why the shared window cannot be asked, and goes on with its share", async () => {
  const events = recordEvents();
  await using connection = await connectTo(redis.url, events, { keyPrefix: "broken:" });
  await raw.set("broken:rate:{issueToken}", "no list", "EX", 60);
  const limits = { issuances: 20, windowMs: 1_000, replicas: 1 };
  await new RateLimiter("issueToken", limits, connection, events).acquire({ patienceMs: 0 });
  expect(events.lines.join()).toContain('"reason":"WRONGTYPE"');
});

it("serves a burst of three times the limit through three replicas without one 429 from ACS", async () => {
  // The 3 % of so short a window leave no room for a busy machine, so the emulator's window is shorter than ours.
  await using world = await startWorld({
    gateways: 3,
    redis: true,
    emulator: { clock: Date.now, limits: true, limitScale: 0.03, limitWindowMs: 400 },
    environment: { ACS_TIMEOUT_MS: "20000", ACS_RATE_LIMIT: "30", ...patientWithRedis },
    parts: { budget: { windowMs: 1_500 } },
  });
  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const answers = await Promise.all(
    Array.from({ length: 90 }, (_, index) =>
      world.gateways[index % 3]!.client.send(IssueTokenDocument, {
        identityId,
        scopes: ["CHAT"],
        expiresInMinutes: 60 + index,
      }),
    ),
  );
  expect(answers.filter(({ errors }) => errors)).toEqual([]);
  expect(world.emulator.counts.snapshot().operations.issueAccessToken).toMatchObject({
    received: 90,
    worked: 90,
    throttled: 0,
  });
}, 60_000);

it("refuses what the limit has no room for before the deadline, and ACS sees none of it", async () => {
  await using world = await startWorld({
    gateways: 3,
    redis: true,
    emulator: { clock: Date.now, limits: true, limitScale: 0.02 },
    environment: { ACS_RATE_LIMIT: "20", ...patientWithRedis },
  });
  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      world.gateways[index % 3]!.client.send(IssueTokenDocument, {
        identityId,
        scopes: ["CHAT"],
        expiresInMinutes: 60 + index,
      }),
    ),
  );
  const refused = answers.flatMap(({ errors }) => errors ?? []);
  expect(refused).toHaveLength(80);
  for (const { extensions } of refused) {
    expect(extensions.code).toBe("RATE_LIMITED");
    expect(extensions.retryAfterSeconds).toBeGreaterThan(20);
    expect(extensions.retryAfterSeconds).toBeLessThanOrEqual(31);
  }
  expect(world.emulator.counts.snapshot().operations.issueAccessToken).toMatchObject({
    received: 20,
    throttled: 0,
  });
});
