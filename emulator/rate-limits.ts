/** Azure's limits per resource and operation over a sliding window. */
import { RestError } from "./rest-error";
import type { Settings } from "./settings";

/** Requests per 30 seconds (ACS documentation, service limits). */
export const limitPer30Seconds: Readonly<Record<string, number>> = {
  createIdentity: 1000,
  createIdentityWithToken: 1000,
  issueAccessToken: 1000,
  revokeAccessTokens: 500,
  deleteIdentity: 500,
  exchangeTeamsToken: 500,
};

/** A sliding window per resource and operation. Refused requests count too, as Azure says of its own. */
export class RateLimits {
  private readonly seen = new Map<string, number[]>();

  constructor(private readonly settings: Settings) {}

  /** Forgets all requests so far. */
  reset(): void {
    this.seen.clear();
  }

  /** Counts a request. Throws 429 when it is one too many. */
  count(resourceId: string, operation: string): void {
    const { limits, limitScale, limitWindowMs: windowMs, clock, retryAfter } = this.settings;
    const limit = (limitPer30Seconds[operation] ?? Infinity) * limitScale;
    if (!limits || limit === Infinity) return;
    const now = clock();
    const key = `${resourceId} ${operation}`;
    const times = this.seen.get(key) ?? [];
    this.seen.set(key, times);
    times.splice(0, firstAfter(times, now - windowMs));
    const over = times.length >= limit;
    times.push(now);
    // What lies further back than one limit decides nothing.
    const kept = Math.max(1, Math.ceil(limit));
    if (times.length > kept) times.splice(0, times.length - kept);
    if (!over) return;
    const oldest = times[0] ?? now;
    const seconds = Math.max(1, Math.ceil((oldest + windowMs - now) / 1000));
    const headers: Record<string, string> = retryAfter ? { "retry-after": String(seconds) } : {};
    throw new RestError(429, "TooManyRequests", "Too many requests. Try again later.", undefined, headers);
  }
}

/** The index of the first time after `end`. */
function firstAfter(times: readonly number[], end: number): number {
  let index = 0;
  while (index < times.length && (times[index] ?? 0) <= end) index += 1;
  return index;
}
