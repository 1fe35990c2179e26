/** The last hour's figures in a fixed amount of memory: what is older is written over. */
import { tickNames, type Figures } from "./tick";

/** The figures that are kept. */
export const kept = [
  ...tickNames,
  "hitRatio",
  "p50",
  "p95",
  "p99",
  "callP50",
  "callP95",
] as const satisfies readonly (keyof Figures)[];

/** Figures over time: for each moment, its age in seconds and the figures of the time before it; null: none. */
export interface Series {
  readonly age: readonly number[];
  readonly figures: Readonly<Record<(typeof kept)[number], readonly (number | null)[]>>;
}

/** A ring of points. */
export class History {
  private readonly times: Float64Array;
  /** Row by row: the figures of each point. */
  private readonly values: Float64Array;
  private next = 0;
  private length = 0;

  constructor(private readonly capacity: number) {
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(capacity * kept.length);
  }

  /** Adds a point. `at` is in milliseconds, and never less than the last one's. */
  add(at: number, figures: Figures): void {
    this.times[this.next] = at;
    const row = this.next * kept.length;
    for (let index = 0; index < kept.length; index++) {
      this.values[row + index] = figures[kept[index] ?? "operations"] ?? NaN;
    }
    this.next = (this.next + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
  }

  /** All points as they are seen at `now`, the oldest first. */
  series(now: number): Series {
    const age: number[] = [];
    const figures = Object.fromEntries(kept.map((name) => [name, [] as (number | null)[]]));
    for (let count = this.length; count > 0; count--) {
      const at = (this.next - count + this.capacity) % this.capacity;
      age.push(Math.round((now - (this.times[at] ?? 0)) / 100) / 10);
      for (const [index, name] of kept.entries()) {
        const value = this.values[at * kept.length + index];
        figures[name]?.push(value === undefined || Number.isNaN(value) ? null : value);
      }
    }
    return { age, figures: figures as Series["figures"] & Record<string, (number | null)[]> };
  }
}
