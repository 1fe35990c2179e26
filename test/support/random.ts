/** Randomness that a seed repeats. */

/** A random source of a run. */
export interface Random {
  /** From 0 to 1, without 1. */
  (): number;
  /** From `min` to `max`. */
  between(min: number, max: number): number;
  /** One of them. */
  pick<T>(from: readonly T[]): T;
}

/** Mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, {
    between: (min: number, max: number) => min + next() * (max - min),
    pick: <T>(from: readonly T[]): T => {
      const item = from[Math.floor(next() * from.length)];
      if (item === undefined) throw new Error("There is nothing to pick from.");
      return item;
    },
  });
}

/** The seed of this run: `SEED`, or a new one. */
export const runSeed = Number(process.env.SEED ?? Date.now() % 1_000_000);
