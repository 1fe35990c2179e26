/** The emulator keeps the whole contract, and a breach of it is noticed. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { audits } from "../../../emulator/audits";
import { startEmulator, type Emulator } from "../../../emulator/emulator";

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator[Symbol.asyncDispose]());

it.each(audits.map((audit) => [audit.id, audit.level, audit.title, audit] as const))(
  "%s %s: %s",
  async (_id, _level, _title, audit) => {
    await audit.run(emulator.connectionString);
  },
);

it("gives every check an id of its own", () => {
  expect(new Set(audits.map(({ id }) => id)).size).toBe(audits.length);
});

it("leaves nothing behind", () => {
  expect(emulator.identities.list().filter(({ deleted }) => !deleted)).toEqual([]);
});

it("keeps the contract with the secondary key, too", async () => {
  for (const audit of audits) await audit.run(emulator.secondaryConnectionString);
});

it.each([
  ["wrongSuccess", "ACSI-004"],
  ["missingExpiresOn", "ACSI-004"],
  ["malformedJson", "ACSI-001"],
  ["html502", "ACSI-007"],
] as const)("notices the fault %s in check %s", async (kind, id) => {
  await using faulty = await startEmulator();
  faulty.faults.add({ kind });
  await expect(audits.find((audit) => audit.id === id)?.run(faulty.connectionString)).rejects.toThrow();
});

it("deletes what a check made although the check failed", async () => {
  await using faulty = await startEmulator();
  faulty.faults.add({ kind: "missingExpiresOn" });
  const failed = await Promise.all(
    audits.map((audit) =>
      audit.run(faulty.connectionString).then(
        () => undefined,
        () => audit.id,
      ),
    ),
  );
  expect(failed).toEqual(expect.arrayContaining(["ACSI-003", "ACSI-004", "ACSI-006"]));
  const made = faulty.identities.list();
  expect(made.length).toBeGreaterThan(10);
  expect(made.filter(({ deleted }) => !deleted)).toEqual([]);
});

it("deletes even an identity that should have been refused", async () => {
  await using lenient = await startEmulator({ clockSkewMs: 3 * 24 * 3600_000 });
  const audit = audits.find(({ id }) => id === "ACSI-024");
  await expect(audit?.run(lenient.connectionString)).rejects.toThrow();
  expect(lenient.identities.list()).toEqual([expect.objectContaining({ deleted: true })]);
});
