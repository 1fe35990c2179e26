/** The in-process journal keeps the promises of every journal. */
import { MemoryCreateJournal } from "../../../src/services/identities/memory-create-journal";
import { FakeClock } from "../../support/fake-clock";
import { describeCreateJournal, suiteMost, suiteTimings } from "./create-journal.suite";

describeCreateJournal("MemoryCreateJournal", () => {
  const clock = new FakeClock();
  const journal = new MemoryCreateJournal(clock, suiteTimings, suiteMost);
  return Promise.resolve({
    journals: [journal, journal] as const,
    pass: (ms: number) => {
      clock.advanceBy({ ms });
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
