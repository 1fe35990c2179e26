/** No interval of the window's length holds more than the limit, whoever asks for turns and when. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { SlidingWindow } from "../../../src/services/azure/sliding-window";

const windowMs = 1_000;

const requests = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 400 }),
    patienceMs: fc.integer({ min: 0, max: 3_000 }),
    background: fc.boolean(),
  }),
  { maxLength: 200 },
);

it("gives turns in order, never more than the limit in a window, none beyond the patience", () => {
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 12 }), (asked, limit) => {
      const window = new SlidingWindow(windowMs, limit);
      const turns: number[] = [];
      let now = 0;
      for (const { pauseMs, patienceMs, background } of asked) {
        now += pauseMs;
        const turn = window.reserve(now, background ? limit / 2 : limit, patienceMs);
        if (!turn.granted) {
          expect(turn.waitMs).toBeGreaterThan(patienceMs);
          continue;
        }
        expect(turn.waitMs).toBeLessThanOrEqual(patienceMs);
        turns.push(now + turn.waitMs);
      }
      for (let index = 1; index < turns.length; index++) {
        expect(turns[index]).toBeGreaterThanOrEqual(turns[index - 1]!);
        const edge = turns[index - limit];
        if (edge !== undefined) expect(turns[index]! - edge).toBeGreaterThanOrEqual(windowMs);
      }
    }),
  );
});

it("serves a burst of ten times the limit in nine windows, which is the least", () => {
  const window = new SlidingWindow(windowMs, 100);
  const waits = Array.from({ length: 1_000 }, () => window.reserve(0, 100, Infinity).waitMs);
  expect(waits).toEqual(waits.map((_, index) => Math.floor(index / 100) * windowMs));
});
