/** Figures of the time between two scrapes: increases, rates, shares and quantiles. */
import type { Samples, Series } from "./metrics-text";

/** A scrape and when it was made, in milliseconds. */
export interface Scrape {
  readonly at: number;
  readonly samples: Samples;
}

/** Selects series by their labels. */
export type Match = (labels: Series["labels"]) => boolean;

/** Fewer observations than this give no percentage and no quantile. */
export const fewest = 20;
const prefix = "acs_token_gateway_";
const all: Match = () => true;

/** What the gateway did between two scrapes. The gateway's own metrics are named without their prefix. */
export class Period {
  constructor(
    private readonly earlier: Scrape,
    private readonly later: Scrape,
  ) {}

  get seconds(): number {
    return (this.later.at - this.earlier.at) / 1_000;
  }

  /** Whether the gateway exports this metric. */
  has(name: string): boolean {
    return this.named(name).length > 0;
  }

  /** The series of a metric that match. */
  series(name: string, match: Match = all): Series[] {
    return this.named(name).filter(({ labels }) => match(labels));
  }

  /** The sum of the latest values; null without any. */
  now(name: string, match: Match = all): number | null {
    const values = this.series(name, match).map((series) => this.later.samples.get(series) ?? 0);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
  }

  /** By how much counters grew. A counter that became smaller began again at zero. */
  increase(name: string, match: Match = all): number {
    return this.series(name, match).reduce((sum, series) => sum + this.growth(series), 0);
  }

  /** Increase per second. */
  rate(name: string, match: Match = all): number {
    return this.seconds > 0 ? this.increase(name, match) / this.seconds : 0;
  }

  /** The part of a metric's increase that matches, from 0 to 1; null when the whole is too small to say. */
  share(name: string, match: Match): number | null {
    const whole = this.increase(name);
    return whole < fewest ? null : this.increase(name, match) / whole;
  }

  /** A quantile of a histogram in its own unit, estimated as Prometheus does; null when too little was observed. */
  quantile(histogram: string, q: number, match: Match = all): number | null {
    const counts = new Map<number, number>();
    for (const series of this.series(`${histogram}_bucket`, match)) {
      const { le } = series.labels;
      const bound = le === "+Inf" ? Infinity : Number(le);
      counts.set(bound, (counts.get(bound) ?? 0) + this.growth(series));
    }
    const buckets = [...counts].sort(([one], [other]) => one - other);
    const total = buckets.at(-1)?.[1] ?? 0;
    if (total < fewest) return null;
    let [lower, below] = [0, 0];
    for (const [bound, count] of buckets) {
      if (count >= q * total) {
        if (bound === Infinity) return lower;
        return lower + ((bound - lower) * (q * total - below)) / (count - below);
      }
      [lower, below] = [bound, count];
    }
    return null;
  }

  /** The values that a label of a metric has, those with the largest increase first. */
  byIncrease(name: string, label: string): { value: string; increase: number }[] {
    const values = new Set(this.series(name).map(({ labels }) => labels[label] ?? ""));
    return [...values]
      .map((value) => ({ value, increase: this.increase(name, (labels) => labels[label] === value) }))
      .filter(({ increase }) => increase > 0)
      .sort((one, other) => other.increase - one.increase);
  }

  private growth(series: Series): number {
    const [before, after] = [this.earlier, this.later].map(({ samples }) => samples.get(series) ?? 0) as [
      number,
      number,
    ];
    return after < before ? after : after - before;
  }

  private byName: Map<string, Series[]> | undefined;

  private named(name: string): Series[] {
    if (!this.byName) {
      this.byName = new Map();
      for (const series of this.later.samples.keys()) {
        const list = this.byName.get(series.name);
        if (list) list.push(series);
        else this.byName.set(series.name, [series]);
      }
    }
    return this.byName.get(prefix + name) ?? this.byName.get(name) ?? [];
  }
}

/** Of scrapes in order, the period that ends with the last and begins `seconds` earlier, or with the first; undefined of fewer than two. */
export function lastPeriod(scrapes: readonly Scrape[], seconds: number): Period | undefined {
  const later = scrapes.at(-1);
  if (!later || scrapes.length < 2) return undefined;
  // A timer that is a little late must not lengthen the period by a whole scrape.
  const from = later.at - seconds * 1_000 - 500;
  const earlier = scrapes.find(({ at }) => at >= from);
  return new Period(!earlier || earlier === later ? (scrapes.at(-2) ?? later) : earlier, later);
}
