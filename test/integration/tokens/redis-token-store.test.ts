/** The Redis store keeps the promises of every store, through restarts, and shows nothing to who reads the database. */
import { createSecretKey } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { fixedKeyRing } from "../../../src/services/tokens/key-ring";
import { RedisTokenStore } from "../../../src/services/tokens/redis-token-store";
import { SealedTokenStore } from "../../../src/services/tokens/sealing-layer";
import { TokenCipher } from "../../../src/services/tokens/token-cipher";
import { tokenKey } from "../../../src/services/tokens/token-key";
import {
  StoreUnavailable,
  type CachedToken,
  type TokenStore,
} from "../../../src/services/tokens/token-store";
import { connectTo } from "../../support/connect-to";
import { recordEvents } from "../../support/recorded-events";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { describeTokenStore } from "../../support/token-store.suite";
import { until } from "../../support/until";

const keys = [{ id: "k1", secret: createSecretKey(Buffer.alloc(32, 7)) }];

async function connect(redis: RedisServer) {
  const events = recordEvents();
  const connection = await connectTo(redis.url, events, { keyPrefix: "test:" });
  const store: TokenStore<CachedToken> = new SealedTokenStore(
    new RedisTokenStore(connection),
    new TokenCipher(fixedKeyRing(keys)),
    events,
  );
  return { connection, store, events };
}

describeTokenStore("RedisTokenStore", async () => {
  const redis = await startRedis();
  const one = await connect(redis);
  const two = await connect(redis);
  return {
    stores: [one.store, two.store] as const,
    // Redis has its own clock, so time must really pass.
    pass: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
    [Symbol.asyncDispose]: async () => {
      await one.connection[Symbol.asyncDispose]();
      await two.connection[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
});

describe("RedisTokenStore on its Redis", () => {
  let redis: RedisServer;
  let raw: Redis;
  let parts: Awaited<ReturnType<typeof connect>>;
  const key = tokenKey("8:acs:00000000-0000-4000-8000-000000000001_user", ["chat", "voip"], 60, "cred0001");
  const value: CachedToken = {
    token: "aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl",
    scopes: ["chat", "voip"],
    expiresOn: 2e12,
  };

  beforeAll(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
    raw.on("error", () => undefined);
    parts = await connect(redis);
  });
  afterAll(async () => {
    raw.disconnect();
    await parts.connection[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  const store = async () => {
    const turn = await parts.store.acquire(key, { leaseMs: 1_000, minLeftMs: Infinity });
    if (turn.kind === "lease")
      expect(await parts.store.commit(key, turn.lease, value, 60_000)).toBe("stored");
  };
  const onlyKey = async () => {
    const found = await raw.keys("*");
    expect(found).toHaveLength(1);
    return found[0] ?? "";
  };

  it("shows neither token, identity nor scopes, and everything expires by itself", async () => {
    await store();
    const name = await onlyKey();
    const dump = Buffer.concat([
      Buffer.from(name),
      ...Object.entries(await raw.hgetallBuffer(name)).map(([field, v]) =>
        Buffer.concat([Buffer.from(field), v]),
      ),
    ]);
    for (const secret of [
      value.token,
      ...value.token.split("."),
      "header",
      "payload",
      "8:acs",
      "chat",
      key.identityId,
    ]) {
      expect(dump.includes(secret)).toBe(false);
    }
    const ttl = await raw.pttl(name);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });

  it.each([
    ["cut", (sealed: Buffer) => sealed.subarray(0, -1)],
    [
      "flipped",
      (sealed: Buffer) => Buffer.concat([sealed.subarray(0, -1), Buffer.of((sealed.at(-1) ?? 0) ^ 1)]),
    ],
    ["emptied", (sealed: Buffer) => sealed.subarray(0, 13)],
    ["replaced by text", (sealed: Buffer) => Buffer.concat([sealed.subarray(0, 13), Buffer.from("garbage")])],
  ])("takes a value that was %s for a miss, and heals", async (_how, change) => {
    await store();
    const name = await onlyKey();
    const [field] = (await raw.hkeys(name)).filter((each) => each.startsWith("e:"));
    const sealed = await raw.hgetBuffer(name, field ?? "");
    await raw.hset(name, field ?? "", change(sealed ?? Buffer.alloc(0)));
    expect(await parts.store.read(key)).toBeUndefined();
    expect((await parts.store.acquire(key, { leaseMs: 100 })).kind).toBe("lease");
    await raw.del(name);
    await store();
    expect(await parts.store.read(key)).toEqual(value);
    expect(parts.events.lines.join()).toContain("did not open");
  });

  it("takes another user's value under this key for a miss", async () => {
    await store();
    const other = tokenKey(
      "8:acs:00000000-0000-4000-8000-000000000001_other",
      key.scopes,
      60,
      key.credential,
    );
    const turn = await parts.store.acquire(other, { leaseMs: 1_000 });
    if (turn.kind === "lease")
      await parts.store.commit(other, turn.lease, { ...value, token: "x.y.z" }, 60_000);
    const names = await raw.keys("*");
    expect(names).toHaveLength(2);
    const [one, two] = names as [string, string];
    const field = `e:${key.field}`;
    const [ofOne, ofTwo] = [await raw.hgetBuffer(one, field), await raw.hgetBuffer(two, field)];
    await raw.hset(one, field, ofTwo ?? "");
    await raw.hset(two, field, ofOne ?? "");
    expect(await parts.store.read(key)).toBeUndefined();
    expect(await parts.store.read(other)).toBeUndefined();
    await raw.del(one, two);
  });

  it("works on after SCRIPT FLUSH", async () => {
    await store();
    await raw.script("FLUSH");
    expect(await parts.store.read(key)).toEqual(value);
  });

  it("says that it is unavailable while Redis is away, soon, and is itself again when Redis returns", async () => {
    await store();
    redis.pause();
    await expect(parts.store.read(key)).rejects.toThrow(StoreUnavailable);
    redis.resume();
    await until(async () => (await parts.store.read(key))?.token === value.token);
    await redis.kill();
    await expect(parts.store.read(key)).rejects.toThrow(StoreUnavailable);
    await redis.restart();
    await until(async () => {
      await store();
      return true;
    });
  });

  it("trusts nothing that was written before a restart, even if it was saved", async () => {
    await store();
    await raw.save();
    await redis.kill();
    await redis.restart();
    await until(async () => (await raw.keys("*")).length > 0);
    await until(async () => (await parts.store.read(key)) === undefined);
    expect(await raw.keys("*")).toEqual([]);
  });
});

/** Waits for a condition, and takes errors on the way for "not yet". */

it("takes no new script once one was called, which would mix up the answers of calls under way", async () => {
  await using redis = await startRedis();
  await using connection = await connectTo(redis.url, recordEvents());
  const one = connection.script("one", "#!lua\nreturn ARGV[1]");
  const two = connection.script("two", "#!lua\nreturn ARGV[1]");
  const answers = await Promise.all(["a", "b", "c"].flatMap((word) => [one("k", word), two("k", word)]));
  expect(answers.map(String)).toEqual(["a", "a", "b", "b", "c", "c"]);
  expect(connection.script("one", "#!lua\nreturn ARGV[1]")).toBe(one);
  expect(() => connection.script("three", "#!lua\nreturn 3")).toThrow("made after another was called");
});
