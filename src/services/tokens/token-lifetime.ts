/** The arithmetic of a token's life: how long it is kept, when it is too old to be served, when it is renewed. */

/** Milliseconds for which a store may serve a token, at least 1: until `minRemainingMs` of its life are left. */
export function keepMs(expiresOn: number, now: number, minRemainingMs: number): number {
  return Math.max(1, expiresOn - now - minRemainingMs);
}

/**
 * A token with less than this many milliseconds of life left is renewed ahead: a quarter of its life, or for short
 * lives as much more than `minRemainingMs` as leaves time to renew it while it can still be served.
 */
export function renewalThresholdMs(lifetimeMinutes: number, minRemainingMs: number): number {
  const lifeMs = lifetimeMinutes * 60_000;
  return Math.max(lifeMs / 4, minRemainingMs + Math.max(0, lifeMs - minRemainingMs) / 8);
}

/** The share of the threshold over which renewals of tokens of one age are spread. */
const spread = 0.1;

/**
 * Whether a token is due for renewal. `fraction`, from 0 to 1 and fixed for one token, spreads those that were issued
 * together, so that they are not renewed together too; the latest is still renewed before it is too old to be served.
 */
export function renewalDue(
  remainingMs: number,
  lifetimeMinutes: number,
  minRemainingMs: number,
  fraction: number,
): boolean {
  const threshold = renewalThresholdMs(lifetimeMinutes, minRemainingMs);
  return remainingMs < threshold - spread * fraction * Math.max(0, threshold - minRemainingMs);
}
