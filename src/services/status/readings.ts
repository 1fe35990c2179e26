/** Readings of the gateway's metrics, and what has happened between two of them. */

import {
  metricDefinitions,
  metricPrefix,
  type MetricName,
  type MetricOf,
} from "../telemetry/metrics/definitions";
import type { Metrics } from "../telemetry/metrics/metrics";
import type { MetricValue } from "../telemetry/metrics/registry";

/** The metrics, as far as they are read here. */
export type MetricSource = Pick<Metrics, "read">;

/** One combination of a metric's labels. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** A counter's or gauge's value; how many a histogram has counted. */
  readonly value: number;
  /** A histogram's counts, each of its own bucket alone; the last is for what is beyond all bounds. */
  readonly counts?: readonly number[];
}

/** A metric's series, by their labels. */
export type SeriesMap = ReadonlyMap<string, Series>;

/** Some metrics at one moment. */
export type Reading = ReadonlyMap<MetricName, SeriesMap>;

/** Reads metrics by their names without the prefix. */
export async function read(source: MetricSource, names: readonly MetricName[]): Promise<Reading> {
  const families = new Map((await source.read(names)).map((family) => [family.name, family.values]));
  return new Map(names.map((name) => [name, seriesOf(families.get(metricPrefix + name) ?? [])]));
}

/** What was counted from one reading to the next. A series that is new has begun at nothing. */
export function between(earlier: Reading, later: Reading): Reading {
  const difference = new Map<MetricName, SeriesMap>();
  for (const [name, series] of later) {
    const before = earlier.get(name);
    const changed = new Map<string, Series>();
    for (const [key, { labels, value, counts }] of series) {
      const old = before?.get(key);
      changed.set(key, {
        labels,
        value: value - (old?.value ?? 0),
        ...(counts && { counts: counts.map((count, index) => count - (old?.counts?.[index] ?? 0)) }),
      });
    }
    difference.set(name, changed);
  }
  return difference;
}

/** The upper bounds of a histogram's buckets in seconds, without the last, which has none. */
export function boundsOf(name: MetricOf<"histogram">): readonly number[] {
  return metricDefinitions[name].buckets;
}

/** A metric's series of a reading. */
export function seriesIn(reading: Reading, name: MetricName): Series[] {
  return [...(reading.get(name)?.values() ?? [])];
}

/** The sum of a metric's series, of those alone whose labels fit. */
export function sumOf(
  reading: Reading,
  name: MetricName,
  fits: (labels: Series["labels"]) => boolean = () => true,
): number {
  let sum = 0;
  for (const { labels, value } of reading.get(name)?.values() ?? []) if (fits(labels)) sum += value;
  return sum;
}

/** The counts of histograms' series added up, bucket by bucket. */
export function countsOf(series: Iterable<Series>): number[] {
  const sums: number[] = [];
  for (const { counts = [] } of series) {
    for (let index = 0; index < counts.length; index++)
      sums[index] = (sums[index] ?? 0) + (counts[index] ?? 0);
  }
  return sums;
}

function seriesOf(samples: readonly MetricValue[]): SeriesMap {
  const found = new Map<string, { labels: Record<string, string>; value: number; counts?: number[] }>();
  for (const { labels: all, value, metricName } of samples) {
    if (metricName?.endsWith("_sum")) continue;
    const { le, ...rest } = all;
    const labels: Record<string, string> = {};
    for (const [name, text] of Object.entries(rest)) labels[name] = String(text);
    const key = Object.values(labels).join("\0");
    let series = found.get(key);
    if (!series) found.set(key, (series = { labels, value: 0 }));
    if (le === undefined) series.value = value;
    else (series.counts ??= []).push(value);
  }
  for (const { counts } of found.values()) if (counts) apart(counts);
  return found;
}

/** Prometheus counts in each bucket what is in the smaller ones, too. */
function apart(counts: number[]): void {
  for (let index = counts.length - 1; index > 0; index--) {
    counts[index] = (counts[index] ?? 0) - (counts[index - 1] ?? 0);
  }
}
