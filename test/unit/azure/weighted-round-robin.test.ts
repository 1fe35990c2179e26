/** Whose turn it is among several resources: by weight, evenly, and not by accident. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { WeightedRoundRobin } from "../../../src/services/azure/weighted-round-robin";

const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 });
const phase = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const membersOf = (all: readonly number[]) => all.map((weight, index) => ({ index, weight }));

it("gives each its weight in any run of turns, to within one turn", () => {
  fc.assert(
    fc.property(weights, phase, fc.integer({ min: 1, max: 200 }), (all, begin, turns) => {
      const cycle = new WeightedRoundRobin(membersOf(all), begin);
      const sum = all.reduce((a, b) => a + b);
      const had = all.map(() => 0);
      for (let turn = 0; turn < turns; turn++) had[cycle.next()[0]!.index]! += 1;
      for (const [index, weight] of all.entries()) {
        // From the beginning of a cycle it is within one; a run that begins anywhere is the difference of two such.
        expect(Math.abs(had[index]! - (turns * weight) / sum)).toBeLessThan(begin === 0 ? 1.5 : 3);
      }
    }),
  );
});

it("gives exactly the weights in whole cycles, wherever they begin", () => {
  fc.assert(
    fc.property(weights, phase, fc.integer({ min: 1, max: 3 }), (all, begin, cycles) => {
      const cycle = new WeightedRoundRobin(membersOf(all), begin);
      const sum = all.reduce((a, b) => a + b);
      const had = all.map(() => 0);
      for (let turn = 0; turn < cycles * sum; turn++) had[cycle.next()[0]!.index]! += 1;
      expect(had).toEqual(all.map((weight) => cycles * weight));
    }),
  );
});

it("names all others too, each once, and those that rest last until they have rested or done their work", () => {
  let now = 0;
  const members = membersOf([5, 3, 1]);
  const cycle = new WeightedRoundRobin(members, 0, () => now);
  const sorted = () =>
    cycle
      .next()
      .map(({ index }) => index)
      .sort();
  expect(sorted()).toEqual([0, 1, 2]);
  cycle.rest(members[0]!);
  for (let turn = 0; turn < 20; turn++) expect(cycle.next().at(-1)?.index).toBe(0);
  now += 5_000;
  const firsts = () => Array.from({ length: 9 }, () => cycle.next()[0]?.index).filter((each) => each === 0);
  expect(firsts()).toHaveLength(5);
  cycle.rest(members[0]!);
  cycle.wake(members[0]!);
  expect(firsts()).toHaveLength(5);
  for (const member of members) cycle.rest(member);
  expect(firsts().length).toBeGreaterThan(0);
});
