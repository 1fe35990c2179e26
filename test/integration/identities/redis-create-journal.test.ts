/** The journal on Redis keeps the promises of every journal, and deletes nothing on the word of a Redis that forgot. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { JournalUnavailable, newIntentId } from "../../../src/services/identities/create-journal";
import { RedisCreateJournal } from "../../../src/services/identities/redis-create-journal";
import type { RedisConnection } from "../../../src/services/redis/redis-connection";
import { connectTo } from "../../support/connect-to";
import { recordEvents } from "../../support/recorded-events";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { describeCreateJournal, suiteMost, suiteTimings } from "./create-journal.suite";
import { journalCipher } from "./journal-cipher";
import { until } from "../../support/until";

const identity = "8:acs:00000000-0000-4000-8000-000000000001_orphan";

async function connect(redis: RedisServer): Promise<RedisConnection> {
  return connectTo(redis.url, recordEvents(), { keyPrefix: "test:" });
}

describeCreateJournal("RedisCreateJournal", async () => {
  const redis = await startRedis();
  const [one, two] = [await connect(redis), await connect(redis)];
  return {
    journals: [
      new RedisCreateJournal(one, journalCipher, suiteTimings, suiteMost),
      new RedisCreateJournal(two, journalCipher, suiteTimings, suiteMost),
    ] as const,
    // Redis has its own clock, so time must really pass.
    pass: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
    [Symbol.asyncDispose]: async () => {
      await one[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
});

describe("RedisCreateJournal on its Redis", () => {
  let redis: RedisServer;
  let connection: RedisConnection;
  let raw: Redis;
  let journal: RedisCreateJournal;

  beforeAll(async () => {
    redis = await startRedis();
    connection = await connect(redis);
    raw = new Redis(redis.url);
    raw.on("error", () => undefined);
    journal = new RedisCreateJournal(connection, journalCipher, { ...suiteTimings, untoldMs: 1 });
  });
  afterAll(async () => {
    raw.disconnect();
    await connection[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await until(async () => {
      await raw.flushall();
      return true;
    });
  });

  const restart = async () => {
    await raw.save();
    await redis.kill();
    await redis.restart();
    await until(async () => (await journal.takeDue(0, 0)).length === 0);
  };

  it("is one key, which expires by itself", async () => {
    const intent = await journal.begin(newIntentId());
    await journal.created(intent, identity);
    await journal.abandoned(newIntentId(), identity);
    expect(await raw.keys("*")).toEqual(["test:{creates}"]);
    const ttl = await raw.pttl("test:{creates}");
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(suiteTimings.keepMs);
  });

  it("names no identity to delete that an earlier life of Redis had as untold, for it may have been told since", async () => {
    const intent = await journal.begin(newIntentId());
    await journal.created(intent, identity);
    await restart();
    expect(await journal.takeDue(10, 0)).toMatchObject([{ intentId: intent.id, identityId: undefined }]);
  });

  it("still names one that was abandoned before a restart", async () => {
    const id = newIntentId();
    await journal.abandoned(id, identity);
    await restart();
    expect(await journal.takeDue(10, 0)).toMatchObject([{ intentId: id, identityId: identity }]);
  });

  it("lets a caller be told after a restart that lost the entry, for then nobody deletes the identity", async () => {
    const intent = await journal.begin(newIntentId());
    await raw.flushall();
    expect(await journal.answering(intent)).toBe(false);
    await restart();
    expect(await journal.answering(intent)).toBe(true);
  });

  it("says that it is unavailable while Redis is away", async () => {
    await redis.kill();
    await expect(journal.begin(newIntentId())).rejects.toThrow(JournalUnavailable);
    await redis.restart();
    await until(async () => (await journal.begin(newIntentId())).receipt !== "");
  });

  it("works on a Redis that takes no more data, and so can still clean up", async () => {
    await raw.config("SET", "maxmemory", "1");
    await expect(raw.set("any", "value")).rejects.toThrow(/OOM/);
    const intent = await journal.begin(newIntentId());
    await journal.abandoned(intent.id, identity);
    expect(await journal.takeDue(10, 0)).toMatchObject([{ intentId: intent.id, identityId: identity }]);
    await raw.config("SET", "maxmemory", "0");
  });

  it("shows no identity, and opens an id only in the entry that it was sealed for", async () => {
    const [one, two] = [newIntentId(), newIntentId()];
    for (const id of [one, two]) await journal.abandoned(id, `${identity}-${id}`);
    const dump = await raw.hgetall("test:{creates}");
    expect(JSON.stringify(dump)).not.toContain("orphan");
    // Somebody gives one entry the id of the other.
    await raw.hset("test:{creates}", one, dump[two] ?? "");
    const due = await journal.takeDue(10, 1_000);
    expect(new Map(due.map(({ intentId, identityId }) => [intentId, identityId]))).toEqual(
      new Map([
        [one, undefined],
        [two, `${identity}-${two}`],
      ]),
    );
  });
});
