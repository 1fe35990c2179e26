/** The registry of one gateway, in which metrics of plain numbers are read when it is scraped. The only importer of prom-client. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { metricDefinitions, metricPrefix, type MetricDefinition, type MetricOf } from "./definitions";
import { CountSeries, DurationSeries, Family } from "./series";

/** One value of a metric. */
interface MetricValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a histogram's parts: its name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
}

/** A metric with all its values. */
interface MetricFamily {
  /** With its prefix. */
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly MetricValue[];
}

/** A value of a gauge: its labels' values in their order. */
export type Reading = readonly [value: number, ...labels: string[]];

/** Metrics of one gateway. Never prom-client's global registry: a process may have several gateways. */
export class MetricsRegistry {
  readonly #registry = new Registry();

  /** The media type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  counter(name: MetricOf<"counter">, refresh?: (family: Family<CountSeries>) => void): Family<CountSeries> {
    const { labels } = metricDefinitions[name] as MetricDefinition;
    const family = new Family(labels.length, () => new CountSeries());
    if (labels.length === 0) family.of();
    const counter: Counter = new Counter({
      ...this.#common(name),
      collect: () => {
        refresh?.(family);
        counter.reset();
        for (const { values, series } of family.all) counter.inc(named(labels, values), series.value);
      },
    });
    return family;
  }

  histogram(name: MetricOf<"histogram">): Family<DurationSeries> {
    const { labels, buckets } = metricDefinitions[name];
    const family = new Family(labels.length, () => new DurationSeries(buckets));
    new PlainHistogram({ ...this.#common(name), buckets: [...buckets] }, family);
    return family;
  }

  /** A gauge that is read when the registry is; a value that is not there is left out. */
  gauge(name: MetricOf<"gauge">, read: () => readonly Reading[] | Promise<readonly Reading[]>): void {
    const { labels } = metricDefinitions[name] as MetricDefinition;
    const gauge: Gauge = new Gauge({
      ...this.#common(name),
      collect: async () => {
        const readings = await read();
        gauge.reset();
        if (labels.length === 0 && readings.length === 0) gauge.remove();
        for (const [value, ...values] of readings) gauge.set(named(labels, values), value);
      },
    });
  }

  /** Adds those of the process: processor, memory, garbage collection, event loop. There is no way to take them back. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** All metrics in Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #common(name: keyof typeof metricDefinitions) {
    const { help, labels } = metricDefinitions[name];
    return { name: metricPrefix + name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

/** The library's own costs a microsecond for each value; this one gives it what was counted. */
class PlainHistogram extends Histogram {
  constructor(
    private readonly made: ConstructorParameters<typeof Histogram>[0],
    private readonly family: Family<DurationSeries>,
  ) {
    super(made);
  }

  override get(): ReturnType<Histogram["get"]> {
    const { name, help, labelNames = [], buckets = [] } = this.made;
    const values: MetricValue[] = [];
    for (const each of this.family.all) {
      const labels = named(labelNames, each.values);
      let count = 0;
      each.series.counts.forEach((inBucket, index) => {
        count += inBucket;
        values.push({
          labels: { le: buckets[index] ?? "+Inf", ...labels },
          value: count,
          metricName: `${name}_bucket`,
        });
      });
      values.push({ labels, value: each.series.sum, metricName: `${name}_sum` });
      values.push({ labels, value: count, metricName: `${name}_count` });
    }
    const family: MetricFamily = { name, help, type: "histogram", values };
    return Promise.resolve(family) as unknown as ReturnType<Histogram["get"]>;
  }

  /** The library asks this rather than `get` for its text. */
  getForPromString(): ReturnType<Histogram["get"]> {
    return this.get();
  }
}

function named(labels: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ""]));
}
