/** Percentiles of what a histogram has counted. */

/**
 * The value in seconds below which the share `q` of all lies, taken to be spread evenly within each bucket as
 * Prometheus takes it; undefined when nothing was counted. What is beyond the last bound is told as that bound.
 */
export function percentile(
  q: number,
  bounds: readonly number[],
  counts: readonly number[],
): number | undefined {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all <= 0) return undefined;
  const rank = q * all;
  let below = 0;
  for (const [index, bound] of bounds.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && below + count >= rank) {
      const floor = bounds[index - 1] ?? 0;
      return floor + (bound - floor) * ((rank - below) / count);
    }
    below += count;
  }
  return bounds.at(-1);
}

/** What is told of how long something took, in milliseconds; null when it did not happen. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** The percentiles that are told. */
export function percentilesOf(bounds: readonly number[], counts: readonly number[]): Percentiles {
  const of = (q: number) => {
    const seconds = percentile(q, bounds, counts);
    return seconds === undefined ? null : rounded(seconds * 1_000);
  };
  return { p50: of(0.5), p95: of(0.95), p99: of(0.99) };
}

/** To four digits: nobody reads more, and each is sent hundreds of times. */
export function rounded(value: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(4));
}
