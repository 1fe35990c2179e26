/** How long to wait between two looks at something that others change. */

/** The least and the most, in milliseconds. */
export const pollMs = { min: 25, max: 200 };

/** Between half of `ms` and all of it, but at least the least: so that those who wait together do not look together. */
export function jitter(ms: number): number {
  return Math.max(pollMs.min, ms * (0.5 + Math.random() / 2));
}
