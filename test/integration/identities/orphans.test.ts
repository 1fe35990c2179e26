/** No identity stays alive that no caller was told of, but those whose id nobody knows: these are told, once each. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { startEmulator, type Emulator, type FaultKind } from "../../../emulator/emulator";
import type { NewIdentity } from "../../../src/services/identities/identity-service";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { alive, deadlineMs, startReplica, type Replica, type ReplicaOptions } from "./replica";
import { until } from "../../support/until";

let emulator: Emulator;
let redis: RedisServer;
let raw: Redis;
let stack: AsyncDisposable[];

beforeEach(async () => {
  emulator = await startEmulator({ limits: false });
  redis = await startRedis();
  raw = new Redis(redis.url);
  raw.on("error", () => undefined);
  stack = [];
});
afterEach(async () => {
  raw.disconnect();
  for (const part of stack.reverse()) await part[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
  await emulator[Symbol.asyncDispose]();
});

const replica = async (options: ReplicaOptions = {}): Promise<Replica> => {
  const started = await startReplica(emulator, { redisUrl: redis.url, ...options });
  stack.push(started);
  return started;
};
const journaled = () => raw.hlen("test:{creates}");
const journalIsEmpty = () => until(async () => (await journaled()) === 0);
/** An answer that is still to be sent. */
const answer = () => {
  let resolve: (told: boolean) => void = () => undefined;
  const answered = new Promise<boolean>((settle) => {
    resolve = settle;
  });
  return { answered, resolve };
};
const withToken: NewIdentity = { scopes: ["chat"] };
const unavailable = { code: "UPSTREAM_UNAVAILABLE" };

describe.each([
  ["without a token", "createIdentity", {}],
  ["with a token", "createIdentityWithToken", withToken],
] as [string, string, NewIdentity][])("a create %s", (_what, operation, wanted) => {
  it("leaves the identity alone that its caller was told of, and nothing in the journal", async () => {
    const { service, told } = await replica();
    const { identityId } = await service.create(wanted, { answered: Promise.resolve(true) });
    await journalIsEmpty();
    expect(alive(emulator)).toEqual([identityId]);
    expect(told).toEqual({ lost: [], deleted: [], unavailable: [] });
  });

  it.each([
    ["answers late", { kind: "answerLate", latencyMs: deadlineMs + 1_000 }],
    ["works late", { kind: "latency", latencyMs: deadlineMs + 1_000 }],
  ] as [string, FaultKind][])(
    "is refused at the deadline when Azure %s, and the identity deleted",
    async (_how, fault) => {
      const { service, told } = await replica();
      emulator.faults.add({ ...fault, operation, times: 1 });
      const startedAt = performance.now();
      await expect(service.create(wanted, {})).rejects.toMatchObject(unavailable);
      const took = performance.now() - startedAt;
      expect(took).toBeGreaterThanOrEqual(deadlineMs - 5);
      expect(took).toBeLessThan(deadlineMs + 700);
      await until(() => told.deleted.length === 1);
      expect(emulator.identities.list()).toHaveLength(1);
      expect(alive(emulator)).toEqual([]);
      await journalIsEmpty();
      expect(told.lost).toEqual([]);
    },
  );

  it.each([
    ["resets the connection after it worked", { kind: "resetAfter" }],
    ["resets it inside the body", { kind: "resetInBody" }],
    ["answers with half of its JSON", { kind: "malformedJson" }],
    ["answers with another success status", { kind: "wrongSuccess" }],
    ["never answers after it worked", { kind: "hangAfter" }],
  ] as [string, FaultKind][])("is told as lost, once, when Azure %s", async (_how, fault) => {
    const [one, two] = [await replica(), await replica()];
    emulator.faults.add({ ...fault, operation, times: 1 });
    await expect(one.service.create(wanted, {})).rejects.toMatchObject(unavailable);
    await until(() => one.told.lost.length + two.told.lost.length === 1);
    await journalIsEmpty();
    const [lost] = [...one.told.lost, ...two.told.lost];
    expect(lost).toMatchObject({ cause: "answerLost" });
    expect(lost?.intentId).toMatch(/^[0-9a-f]{24}$/);
    expect(lost?.ageMs).toBeGreaterThanOrEqual(0);
    expect(alive(emulator)).toHaveLength(1);
    expect([...one.told.deleted, ...two.told.deleted]).toEqual([]);
    expect(emulator.worked(operation)).toBe(1);
  });

  it.each([
    ["429", { kind: "status", status: 429 }, "RATE_LIMITED"],
    ["401", { kind: "status", status: 401 }, "UPSTREAM_REJECTED"],
    ["400", { kind: "status", status: 400 }, "UPSTREAM_REJECTED"],
  ] as [string, FaultKind, string][])(
    "leaves nothing to tell when Azure refuses it with %s",
    async (_s, fault, code) => {
      const { service, told } = await replica();
      emulator.faults.add({ ...fault, operation, times: 1 });
      await expect(service.create(wanted, {})).rejects.toMatchObject({ code });
      await journalIsEmpty();
      expect(told).toEqual({ lost: [], deleted: [], unavailable: [] });
    },
  );

  it("is undone when its caller has left before Azure answers", async () => {
    const { service, told } = await replica();
    emulator.faults.add({ kind: "answerLate", latencyMs: 150, operation, times: 1 });
    const caller = new AbortController();
    const created = service.create(wanted, { signal: caller.signal });
    const refused = expect(created).rejects.toMatchObject(unavailable);
    await until(() => alive(emulator).length === 1);
    caller.abort();
    await refused;
    await until(() => told.deleted.length === 1);
    expect(alive(emulator)).toEqual([]);
    await journalIsEmpty();
  });

  it("is undone when its caller is sent no answer, or one without it", async () => {
    const { service, told } = await replica();
    const { identityId } = await service.create(wanted, { answered: Promise.resolve(false) });
    expect(emulator.identities.list()).toMatchObject([{ id: identityId }]);
    await until(() => told.deleted.length === 1);
    expect(alive(emulator)).toEqual([]);
    await journalIsEmpty();
  });
});

it("deletes an identity that Azure named beside a token that is not usable", async () => {
  const { service, told } = await replica();
  emulator.faults.add({ kind: "missingExpiresOn", operation: "createIdentityWithToken", times: 1 });
  await expect(service.create(withToken, {})).rejects.toMatchObject(unavailable);
  await until(() => told.deleted.length === 1);
  expect(emulator.identities.list()).toHaveLength(1);
  expect(alive(emulator)).toEqual([]);
  expect(told.lost).toEqual([]);
  await journalIsEmpty();
});

it("has nothing to tell of a create that never reached Azure", async () => {
  const { service, told } = await replica();
  await emulator.close();
  await expect(service.create({}, {})).rejects.toMatchObject(unavailable);
  await journalIsEmpty();
  expect(told).toEqual({ lost: [], deleted: [], unavailable: [] });
});

describe("a process that dies", () => {
  it("between Azure's answer and its own leaves an identity that another one deletes", async () => {
    const dead = await replica({ asleep: true });
    const create = await dead.records.journal.begin();
    const { identityId } = await dead.azure.createIdentity(undefined, {});
    await dead.records.journal.created(create, identityId);
    const living = await replica();
    await until(() => living.told.deleted.length === 1);
    expect(living.told.deleted).toEqual([create.intent.id]);
    expect(alive(emulator)).toEqual([]);
    await journalIsEmpty();
  });

  it("while Azure works leaves an identity that another one tells, once", async () => {
    const dead = await replica({ asleep: true });
    const create = await dead.records.journal.begin();
    await dead.azure.createIdentity(undefined, {});
    const others = [await replica(), await replica()];
    await until(() => others.flatMap(({ told }) => told.lost).length > 0);
    await journalIsEmpty();
    expect(others.flatMap(({ told }) => told.lost)).toMatchObject([
      { intentId: create.intent.id, cause: "answerLost" },
    ]);
  });

  it("while it answers never costs the caller the identity: it is told, not deleted", async () => {
    const dead = await replica({ asleep: true, timings: { patienceMs: 300 } });
    const { identityId } = await dead.service.create({}, { answered: new Promise(() => undefined) });
    const living = await replica();
    await until(() => living.told.lost.length === 1);
    await journalIsEmpty();
    expect(living.told.deleted).toEqual([]);
    expect(alive(emulator)).toEqual([identityId]);
  });
});

it("refuses the caller of a process that was paused for so long that its identity was deleted", async () => {
  const living = await replica();
  const paused = await replica({
    asleep: true,
    layer: ({ journal, sweeper }) => {
      const pausing = Object.create(journal) as typeof journal;
      pausing.created = async (create, identityId) => {
        await journal.created(create, identityId);
        await until(() => living.told.deleted.length === 1);
      };
      return { journal: pausing, sweeper };
    },
  });
  await expect(paused.service.create({}, {})).rejects.toMatchObject(unavailable);
  expect(alive(emulator)).toEqual([]);
});

describe("while the journal's Redis is away", () => {
  it("creates all the same, delayed by one timeout at most, and still cleans up after itself", async () => {
    const { service, told } = await replica({ deadlineMs: 3_000 });
    redis.pause();
    const startedAt = performance.now();
    const { identityId } = await service.create({}, { answered: Promise.resolve(true) });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(told.unavailable).toContain("begin");
    await service.create({}, { answered: Promise.resolve(false) });
    await until(() => told.deleted.length === 1);
    expect(alive(emulator)).toEqual([identityId]);
    redis.resume();
    // What was begun in time by a Redis that answered too late is ended when it is back.
    await journalIsEmpty();
    expect(told.lost).toEqual([]);
  });

  it("does not forget what Redis was not told: it ends the entry when Redis is back", async () => {
    const { service, told } = await replica();
    const { answered, resolve } = answer();
    const { identityId } = await service.create({}, { answered });
    expect(await journaled()).toBe(1);
    redis.pause();
    resolve(true);
    await until(() => told.unavailable.includes("done"));
    redis.resume();
    await journalIsEmpty();
    expect(alive(emulator)).toEqual([identityId]);
    expect(told).toMatchObject({ lost: [], deleted: [] });
  });

  it("deletes the orphan that Redis was not told of", async () => {
    const { service, told } = await replica();
    const { answered, resolve } = answer();
    await service.create({}, { answered });
    await redis.kill();
    resolve(false);
    await until(() => told.deleted.length === 1);
    expect(alive(emulator)).toEqual([]);
    expect(told.lost).toEqual([]);
  });
});

describe("the sweeper", () => {
  const orphans = async ({ azure, records }: Replica, count: number) => {
    for (let made = 0; made < count; made++) {
      const create = await records.journal.begin();
      const { identityId } = await azure.createIdentity(undefined, {});
      await records.journal.abandoned(create, identityId);
    }
  };

  it("takes a bounded number in a round, and the next round soon", async () => {
    const left = await replica({ asleep: true });
    await orphans(left, 7);
    const { told } = await replica({ sweep: { most: 3, intervalMs: 50 } });
    await until(() => told.deleted.length === 7);
    expect(alive(emulator)).toEqual([]);
    await journalIsEmpty();
  });

  it("asks an Azure that is away for one of them, backs off, and deletes all when it is back", async () => {
    const left = await replica({ asleep: true });
    await orphans(left, 5);
    emulator.faults.add({ kind: "status", status: 401, operation: "deleteIdentity" });
    const { told, events } = await replica({ sweep: { firstBackoffMs: 400, maxBackoffMs: 400 } });
    await until(() => events.lines.some((line) => line.includes('"operation":"deleteIdentity"')));
    await until(async () => (await left.records.journal.takeDue(10, 0)).length === 0);
    expect(emulator.counts.snapshot().operations.deleteIdentity?.faulted).toBe(1);
    emulator.faults.clear();
    await until(() => told.deleted.length === 5);
    expect(alive(emulator)).toEqual([]);
    expect(told.lost).toEqual([]);
  });

  it("goes on with the others when one of them belongs to another resource's gateway", async () => {
    const left = await replica({ asleep: true });
    await left.records.journal.abandoned(
      await left.records.journal.begin(),
      "8:acs:99999999-0000-4000-8000-000000000009_other",
    );
    await orphans(left, 3);
    const living = await replica();
    await until(() => living.told.deleted.length === 3);
    expect(alive(emulator)).toEqual([]);
    expect(await journaled()).toBe(1);
  });

  it("gives up, and tells, what could not be deleted for too long", async () => {
    const left = await replica({ asleep: true });
    await orphans(left, 1);
    const { told } = await replica({ sweep: { giveUpMs: -1 } });
    await until(() => told.lost.length === 1);
    expect(told.lost).toMatchObject([{ cause: "notDeleted" }]);
    await journalIsEmpty();
  });

  it("closes within a second or so though Azure hangs, and leaves the orphan to the others", async () => {
    const closing = await replica();
    emulator.faults.add({ kind: "hang", operation: "deleteIdentity" });
    await orphans(closing, 1);
    closing.records.sweeper.wake();
    await until(() => emulator.counts.snapshot().operations.deleteIdentity?.faulted === 1);
    const startedAt = performance.now();
    await closing.records.sweeper[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    emulator.faults.clear();
    const living = await replica();
    await until(() => living.told.deleted.length === 1);
    expect(alive(emulator)).toEqual([]);
  });

  it("without Redis, closing deletes what it can and tells what only this process knew", async () => {
    const only = await startReplica(emulator, { asleep: true });
    await orphans(only, 2);
    const { journal } = only.records;
    await journal.begin();
    await only[Symbol.asyncDispose]();
    expect(alive(emulator)).toEqual([]);
    expect(only.told.deleted).toHaveLength(2);
    expect(only.told.lost).toMatchObject([{ cause: "answerLost" }]);
  });
});

it("after a storm of faults on two replicas, every identity alive was told to a caller or counted as lost", async () => {
  // Patient enough for a slow machine to answer those in time that no fault meets.
  const patient = { deadlineMs: 2_000, timings: { patienceMs: 6_000 } };
  const replicas = [await replica(patient), await replica(patient)] as const;
  const operations = ["createIdentity", "createIdentityWithToken"] as const;
  for (const operation of operations) {
    for (const kind of ["resetAfter", "resetInBody", "malformedJson", "hangAfter"] as const) {
      emulator.faults.add({ kind, operation, times: 4 });
    }
    emulator.faults.add({ kind: "answerLate", latencyMs: patient.deadlineMs + 500, operation, times: 8 });
    emulator.faults.add({ kind: "latency", latencyMs: patient.deadlineMs + 500, operation, times: 8 });
    emulator.faults.add({ kind: "status", status: 429, operation, times: 4 });
  }
  const informed: string[] = [];
  const creates = Array.from({ length: 160 }, async (_, index) => {
    const { service } = replicas[index % 2 === 0 ? 0 : 1];
    const wanted = index % 4 < 2 ? {} : withToken;
    const hears = index % 5 !== 0;
    const created = await service.create(wanted, { answered: Promise.resolve(hears) }).catch(() => undefined);
    if (created && hears) informed.push(created.identityId);
  });
  await Promise.all(creates);
  const lost = () => replicas.flatMap(({ told }) => told.lost);
  await until(() => lost().length === 32);
  await journalIsEmpty();
  await until(() => alive(emulator).length === informed.length + 32);
  expect(informed.length).toBeGreaterThan(0);
  expect(alive(emulator)).toEqual(expect.arrayContaining(informed));
  expect(new Set(lost().map(({ intentId }) => intentId)).size).toBe(32);
  expect(lost().every(({ cause }) => cause === "answerLost")).toBe(true);
});
