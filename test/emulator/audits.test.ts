/** The emulator keeps the whole contract, and a breach of it is noticed. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { audits } from "../../emulator/audits";
import { startEmulator, type Emulator } from "../../emulator/emulator";

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
