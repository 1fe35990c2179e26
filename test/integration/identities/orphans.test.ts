/** An identity that no caller received is deleted; a create of which nobody knows the outcome is reported, once. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { startEmulator, type Emulator, type FaultKind } from "../../../emulator/emulator";
import type { NewIdentity } from "../../../src/services/identities/identity-service";
import { until } from "../../support/until";
import { alive, deadlineMs, startReplica, type Replica, type ReplicaOptions } from "./replica";

let emulator: Emulator;
let stack: AsyncDisposable[];

beforeEach(async () => {
  emulator = await startEmulator({ limits: false });
  stack = [emulator];
});
afterEach(async () => {
  for (const part of stack.reverse()) await part[Symbol.asyncDispose]();
});

const replica = async (options: ReplicaOptions = {}): Promise<Replica> => {
  const started = await startReplica(emulator, options);
  stack.push(started);
  return started;
};
const withToken: NewIdentity = { scopes: ["chat"] };
const unavailable = { code: "UPSTREAM_UNAVAILABLE" };

describe.each([
  ["without a token", "createIdentity", {}],
  ["with a token", "createIdentityWithToken", withToken],
] as [string, string, NewIdentity][])("a create %s", (_what, operation, wanted) => {
  it("leaves the identity alone that its caller received", async () => {
    const { service, orphans, deleted, unknown } = await replica();
    const { identityId } = await service.create(wanted, { answered: Promise.resolve(true) });
    await orphans[Symbol.asyncDispose]();
    expect(alive(emulator)).toEqual([identityId]);
    expect([deleted(), unknown]).toEqual([0, []]);
  });

  it.each([
    ["answers late", { kind: "answerLate", latencyMs: deadlineMs + 1_000 }],
    ["works late", { kind: "latency", latencyMs: deadlineMs + 1_000 }],
  ] as [string, FaultKind][])(
    "is refused at the deadline when ACS %s, and the identity deleted when it is known",
    async (_how, fault) => {
      const { service, deleted, unknown } = await replica();
      emulator.faults.add({ ...fault, operation, times: 1 });
      const startedAt = performance.now();
      await expect(service.create(wanted, {})).rejects.toMatchObject(unavailable);
      const took = performance.now() - startedAt;
      expect(took).toBeGreaterThanOrEqual(deadlineMs - 5);
      expect(took).toBeLessThan(deadlineMs + 700);
      await until(() => deleted() === 1);
      expect(emulator.identities.list()).toHaveLength(1);
      expect(alive(emulator)).toEqual([]);
      expect(unknown).toEqual([]);
    },
  );

  it.each([
    ["resets the connection after it worked", { kind: "resetAfter" }],
    ["resets it inside the body", { kind: "resetInBody" }],
    ["answers with half of its JSON", { kind: "malformedJson" }],
    ["answers with another success status", { kind: "wrongSuccess" }],
    ["never answers after it worked", { kind: "hangAfter" }],
  ] as [string, FaultKind][])("is not repeated but reported, once, when ACS %s", async (_how, fault) => {
    const { service, orphans, deleted, unknown } = await replica();
    emulator.faults.add({ ...fault, operation, times: 1 });
    await expect(service.create(wanted, {})).rejects.toMatchObject(unavailable);
    await orphans[Symbol.asyncDispose]();
    expect(unknown).toEqual([{ cause: "answerLost", ageMs: expect.any(Number) }]);
    expect(alive(emulator)).toHaveLength(1);
    expect(deleted()).toBe(0);
    expect(emulator.worked(operation)).toBe(1);
  });

  it.each([
    ["429", { kind: "status", status: 429 }, "RATE_LIMITED"],
    ["401", { kind: "status", status: 401 }, "UPSTREAM_REJECTED"],
    ["400", { kind: "status", status: 400 }, "UPSTREAM_REJECTED"],
  ] as [string, FaultKind, string][])(
    "leaves nothing to report when ACS refuses it with %s",
    async (_s, fault, code) => {
      const { service, orphans, deleted, unknown } = await replica();
      emulator.faults.add({ ...fault, operation, times: 1 });
      await expect(service.create(wanted, {})).rejects.toMatchObject({ code });
      await orphans[Symbol.asyncDispose]();
      expect([deleted(), unknown]).toEqual([0, []]);
    },
  );

  it("is undone when its caller left before ACS answered", async () => {
    const { service, deleted } = await replica();
    emulator.faults.add({ kind: "answerLate", latencyMs: 150, operation, times: 1 });
    const caller = new AbortController();
    const created = service.create(wanted, { signal: caller.signal });
    const refused = expect(created).rejects.toMatchObject(unavailable);
    await until(() => alive(emulator).length === 1);
    caller.abort();
    await refused;
    await until(() => deleted() === 1);
    expect(alive(emulator)).toEqual([]);
  });

  it("is undone when its caller gets no answer, or one without it", async () => {
    const { service, deleted } = await replica();
    const { identityId } = await service.create(wanted, { answered: Promise.resolve(false) });
    expect(emulator.identities.list()).toMatchObject([{ id: identityId }]);
    await until(() => deleted() === 1);
    expect(alive(emulator)).toEqual([]);
  });
});

it("deletes an identity that ACS named beside a token that is not usable", async () => {
  const { service, deleted, unknown } = await replica();
  emulator.faults.add({ kind: "missingExpiresOn", operation: "createIdentityWithToken", times: 1 });
  await expect(service.create(withToken, {})).rejects.toMatchObject(unavailable);
  await until(() => deleted() === 1);
  expect(emulator.identities.list()).toHaveLength(1);
  expect(alive(emulator)).toEqual([]);
  expect(unknown).toEqual([]);
});

it("has nothing to report of a create that never reached ACS", async () => {
  const { service, orphans, deleted, unknown } = await replica();
  await emulator.close();
  await expect(service.create({}, {})).rejects.toMatchObject(unavailable);
  await orphans[Symbol.asyncDispose]();
  expect([deleted(), unknown]).toEqual([0, []]);
});

it("deletes what it could not delete at first when ACS works again", async () => {
  const { service, deleted, unknown } = await replica();
  emulator.faults.add({ kind: "status", status: 503, operation: "deleteIdentity" });
  for (let count = 0; count < 3; count++) await service.create({}, { answered: Promise.resolve(false) });
  await until(() => (emulator.counts.snapshot().operations.deleteIdentity?.faulted ?? 0) >= 3);
  expect(alive(emulator)).toHaveLength(3);
  emulator.faults.clear();
  await until(() => deleted() === 3);
  expect(alive(emulator)).toEqual([]);
  expect(unknown).toEqual([]);
});

it("closes within its time though ACS hangs, and reports what is left", async () => {
  const { service, orphans, unknown } = await replica();
  emulator.faults.add({ kind: "hang", operation: "deleteIdentity" });
  await service.create({}, { answered: Promise.resolve(false) });
  await until(() => emulator.counts.snapshot().operations.deleteIdentity?.faulted === 1);
  emulator.faults.add({ kind: "hangAfter", operation: "createIdentity", times: 1 });
  await expect(service.create({}, {})).rejects.toMatchObject(unavailable);
  const startedAt = performance.now();
  await orphans[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  expect(unknown.map(({ cause }) => cause).sort()).toEqual(["answerLost", "notDeleted"]);
});

it("after a storm of faults on two replicas, every identity alive was received by a caller or reported", async () => {
  // Patient enough for a slow machine to answer those in time that no fault meets.
  const patient = { deadlineMs: 2_000, timings: { drainMs: 10_000 } };
  const replicas = [await replica(patient), await replica(patient)] as const;
  const operations = ["createIdentity", "createIdentityWithToken"] as const;
  for (const operation of operations) {
    for (const kind of ["resetAfter", "resetInBody", "malformedJson"] as const) {
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
  for (const { orphans } of replicas) await orphans[Symbol.asyncDispose]();
  const reported = replicas.flatMap(({ unknown }) => unknown);
  expect(reported.map(({ cause }) => cause)).toEqual(Array(24).fill("answerLost"));
  expect(informed.length).toBeGreaterThan(0);
  expect(alive(emulator)).toEqual(expect.arrayContaining(informed));
  expect(alive(emulator)).toHaveLength(informed.length + 24);
});
