/** Medians with their spread, and ratios that are taken within a round before anything is averaged. */

/** The middle one; the mean of the middle two. NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, least and most of some values. */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The spread of `values[i] / base[i]`: a round's slow minute slows both, so it cancels out. */
export function ratios(values, base) {
  return spread(values.map((value, round) => value / base[round]));
}
