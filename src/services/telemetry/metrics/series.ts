/** Numbers that the hot path adds to: plain fields, which a registry reads when it is scraped. */

/** A number that only grows. */
export class CountSeries {
  value = 0;

  /** @param by zero or more. */
  inc(by = 1): void {
    this.value += by;
  }
}

/** How many durations there were up to each bound, and their sum. */
export class DurationSeries {
  /** Not cumulated; the last is for what is above all bounds. */
  readonly counts: Float64Array;
  /** Seconds; in an array, because a field would be a new object each time. */
  readonly #sum = new Float64Array(1);

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    const { bounds, counts } = this;
    let index = 0;
    while (index < bounds.length && seconds > (bounds[index] ?? 0)) index++;
    counts[index] = (counts[index] ?? 0) + 1;
    this.#sum[0] = this.sum + seconds;
  }

  get sum(): number {
    return this.#sum[0] ?? 0;
  }
}

/** The most series of a family: a fault of ours that lets foreign text into a label must not fill the memory. */
const maxSeries = 500;
const beyond = "other";

/** The series of a metric by the values of its labels, of which there are at most three. */
export class Family<S> {
  readonly #byValues = new Map<string, Map<string, S>>();
  readonly #all: { readonly values: readonly string[]; readonly series: S }[] = [];

  constructor(
    private readonly labels: number,
    private readonly make: () => S,
  ) {}

  /** Every series with the values of its labels, in the order of their making. */
  get all(): readonly { readonly values: readonly string[]; readonly series: S }[] {
    return this.#all;
  }

  /** The series of these values, of which there must be one for each label. Made on first use. */
  of(first = "", second = "", third?: string): S {
    const rest = third === undefined ? second : `${second}\n${third}`;
    return this.#byValues.get(first)?.get(rest) ?? this.#add(first, second, third);
  }

  #add(first: string, second: string, third: string | undefined): S {
    const values = [first, second, third ?? ""].slice(0, this.labels);
    if (this.#all.length >= maxSeries && !values.every((value) => value === beyond)) {
      return this.of(...(values.map(() => beyond) as [string, string, string]));
    }
    const series = this.make();
    const among = this.#byValues.get(first) ?? new Map<string, S>();
    this.#byValues.set(first, among.set(third === undefined ? second : `${second}\n${third}`, series));
    this.#all.push({ values, series });
    return series;
  }
}
