/** Faults on demand: which request fails how, a number of times or with a seeded probability. */
import type { Fault } from "./fault";
import { mistakeIn } from "./fault-mistakes";

/** The faults in force; the first that meets a request counts. */
export class Faults {
  private active: { readonly fault: Fault; left: number }[] = [];
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  /** Puts a fault in force. Throws `RangeError` for one that is not what {@link Fault} says. */
  add(fault: Fault): void {
    const mistake = mistakeIn(fault);
    if (mistake !== undefined) throw new RangeError(mistake);
    this.active.push({ fault, left: fault.times ?? Infinity });
  }

  clear(): void {
    this.active = [];
  }

  list(): Fault[] {
    return this.active.map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, times: left } : fault));
  }

  /** The fault that meets this request, if one does. */
  meet(operation: string): Fault | undefined {
    const entry = this.active.find(
      ({ fault }) =>
        (fault.operation === undefined || fault.operation === operation) &&
        (fault.probability === undefined || this.random() < fault.probability),
    );
    if (!entry) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.active = this.active.filter((each) => each !== entry);
    return entry.fault;
  }
}

/** A small generator with a seed (Tommy Ettinger's mulberry32): good enough to decide faults, and repeatable. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
