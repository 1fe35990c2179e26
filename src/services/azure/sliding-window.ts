/** A limit over every interval of a window's length, with permits that are given out ahead, in one process. */

/** What became of a request for a permit. */
export interface Reservation {
  /** False: the wait is longer than the caller's patience, and nothing was given out. */
  readonly granted: boolean;
  /** Until the permit may be used, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Keeps when the last permits may be used. A new one comes a window after the one that it would make too many, so any
 * interval of the window's length holds at most the limit; a counter that starts again with each window lets twice as
 * much through across the border of two. Permits are given out in the order of asking, so nobody polls.
 */
export class SlidingWindow {
  private readonly permits: number[] = [];

  constructor(
    private readonly windowMs: number,
    /** The largest limit that will be asked for. */
    private readonly maxLimit: number,
  ) {}

  /** A permit for `atMs` or later, at most `patienceMs` later. */
  reserve(atMs: number, limit: number, patienceMs: number): Reservation {
    const permit = Math.max(this.earliest(atMs, limit), this.permits.at(-1) ?? 0);
    const waitMs = permit - atMs;
    if (waitMs > patienceMs) return { granted: false, waitMs };
    this.permits.push(permit);
    // In one go now and then: shifting each time would move the whole list each time.
    if (this.permits.length > 2 * this.maxLimit) {
      this.permits.splice(0, this.permits.length - this.maxLimit);
    }
    return { granted: true, waitMs };
  }

  /** Permits of the window that ends at `nowMs`, and those for later. */
  used(nowMs: number): number {
    const first = this.permits.findLastIndex((permit) => permit <= nowMs - this.windowMs) + 1;
    return this.permits.length - first;
  }

  /** The earliest time from `atMs` on at which fewer than `limit` permits lie within the window before it. */
  earliest(atMs: number, limit: number): number {
    const edge = this.permits[this.permits.length - limit];
    return edge === undefined ? atMs : Math.max(atMs, edge + this.windowMs);
  }
}
