/** The promises of a journal of creates, for every journal to pass. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  newIntentId,
  type CreateJournal,
  type CreateTimings,
  type DueCreate,
} from "../../../src/services/identities/create-journal";

export interface JournalUnderTest extends AsyncDisposable {
  /** Two views of one journal, as two gateways have them; the same object twice where it is one process's. */
  readonly journals: readonly [CreateJournal, CreateJournal];
  /** Lets time pass for the journal. */
  pass(ms: number): Promise<void>;
}

/** Short, for journals whose time really passes. */
export const suiteTimings: CreateTimings = { patienceMs: 150, untoldMs: 300, keepMs: 60_000 };
/** The most entries of a journal under test. */
export const suiteMost = 20;

const identity = "8:acs:00000000-0000-4000-8000-000000000001_orphan";
const claimMs = 200;

export function describeCreateJournal(name: string, start: () => Promise<JournalUnderTest>): void {
  describe(name, () => {
    let world: JournalUnderTest;
    let a: CreateJournal;
    let b: CreateJournal;

    beforeAll(async () => {
      world = await start();
      [a, b] = world.journals;
    });
    afterAll(async () => {
      await world[Symbol.asyncDispose]();
    });

    /** Every entry that is due; they are forgotten. */
    const sweep = async (by = b): Promise<DueCreate[]> => {
      const due = await by.takeDue(100, claimMs);
      for (const { intentId } of due) await by.done(intentId);
      return due;
    };

    it("has nothing due while a create may still be under way", async () => {
      const intent = await a.begin(newIntentId());
      expect(await sweep()).toEqual([]);
      await a.created(intent, identity);
      await world.pass(suiteTimings.patienceMs + 20);
      expect(await sweep()).toEqual([]);
      await a.done(intent.id);
    });

    it("has a create without an answer due after its patience, without an id, with its age", async () => {
      const { id } = await a.begin(newIntentId());
      await world.pass(suiteTimings.patienceMs + 20);
      const [due, ...others] = await sweep();
      expect(others).toEqual([]);
      expect(due).toMatchObject({ intentId: id, identityId: undefined, attempts: 1 });
      expect(due?.ageMs).toBeGreaterThanOrEqual(suiteTimings.patienceMs);
    });

    it("has an identity that was never told due, with its id, when its process must be dead", async () => {
      const intent = await a.begin(newIntentId());
      await a.created(intent, identity);
      await world.pass(suiteTimings.untoldMs + 20);
      expect(await sweep()).toMatchObject([{ intentId: intent.id, identityId: identity }]);
    });

    it("no longer knows the id once the caller may have been told", async () => {
      const intent = await a.begin(newIntentId());
      await a.created(intent, identity);
      expect(await a.answering(intent)).toBe(true);
      await world.pass(suiteTimings.untoldMs + 20);
      expect(await sweep()).toMatchObject([{ intentId: intent.id, identityId: undefined }]);
    });

    it("has nothing of a create that is done, however long ago", async () => {
      const intent = await a.begin(newIntentId());
      await a.created(intent, identity);
      await a.answering(intent);
      await a.done(intent.id);
      await a.done(intent.id);
      await world.pass(suiteTimings.untoldMs + 20);
      expect(await sweep()).toEqual([]);
    });

    it.each([
      ["that has just begun", []],
      ["whose id is known", ["created"]],
      ["that was thought to be told", ["created", "answering"]],
    ] as const)("has an abandoned create %s due at once", async (_state, steps: readonly string[]) => {
      const intent = await a.begin(newIntentId());
      if (steps.includes("created")) await a.created(intent, identity);
      if (steps.includes("answering")) await a.answering(intent);
      await a.abandoned(intent.id, identity);
      expect(await sweep()).toMatchObject([{ intentId: intent.id, identityId: identity }]);
    });

    it("has an abandoned create due that it never knew of, with or without an id", async () => {
      const [known, lost] = [newIntentId(), newIntentId()];
      await a.abandoned(known, identity);
      await a.abandoned(lost);
      const due = await sweep();
      expect(due).toHaveLength(2);
      expect(due.find(({ intentId }) => intentId === known)?.identityId).toBe(identity);
      expect(due.find(({ intentId }) => intentId === lost)?.identityId).toBeUndefined();
    });

    it.each([
      ["after the create was done", async (id: string) => a.done(id)],
      ["after the caller may have been told", async (id: string) => a.answering({ id, receipt: "" })],
    ])("takes no id from a step that arrives %s", async (_when, before) => {
      const intent = await a.begin(newIntentId());
      await before(intent.id);
      await a.created(intent, identity);
      await world.pass(suiteTimings.untoldMs + 20);
      for (const due of await sweep()) expect(due.identityId).toBeUndefined();
    });

    it("refuses the telling of an identity that a sweeper has taken, and of one that it has deleted", async () => {
      const intent = await a.begin(newIntentId());
      await a.created(intent, identity);
      await world.pass(suiteTimings.untoldMs + 20);
      const [taken] = await b.takeDue(100, claimMs);
      expect(taken?.intentId).toBe(intent.id);
      expect(await a.answering(intent)).toBe(false);
      await b.done(intent.id);
      expect(await a.answering(intent)).toBe(false);
    });

    it("gives a due entry to one sweeper at a time, and again when that one died", async () => {
      await a.abandoned(newIntentId(), identity);
      const taken = await Promise.all([a, b, a, b].map((journal) => journal.takeDue(100, claimMs)));
      expect(taken.flat()).toHaveLength(1);
      await world.pass(claimMs + 20);
      expect(await sweep()).toMatchObject([{ identityId: identity, attempts: 2 }]);
    });

    it("makes a postponed entry due later", async () => {
      const id = newIntentId();
      await a.abandoned(id, identity);
      await b.takeDue(100, claimMs);
      await b.postpone(id, 100);
      expect(await sweep()).toEqual([]);
      await world.pass(120);
      expect(await sweep()).toHaveLength(1);
      await b.postpone(id, 0);
      expect(await sweep()).toEqual([]);
    });

    it("hands out no more than it is asked for", async () => {
      for (let count = 0; count < 5; count++) await a.abandoned(newIntentId(), identity);
      expect(await b.takeDue(2, 0)).toHaveLength(2);
      expect(await sweep()).toHaveLength(5);
    });

    it("is bounded, and says when it is full", async () => {
      const begun = [];
      for (let count = 0; count < suiteMost; count++) begun.push(await a.begin(newIntentId()));
      await expect(b.begin(newIntentId())).rejects.toMatchObject({ reason: "FULL" });
      await expect(b.abandoned(newIntentId(), identity)).rejects.toMatchObject({ reason: "FULL" });
      await b.abandoned(begun[0]!.id, identity);
      for (const { id } of begun) await a.done(id);
      await b.done((await b.begin(newIntentId())).id);
    });
  });
}
