/** The time, as a parameter, so that tests can turn it. */

/** Milliseconds since the Unix epoch, as `Date.now()` counts them. */
export interface Clock {
  now(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() };
