/** A limit over every interval of a window's length, with turns that are given out ahead, in one process. */

/** What became of a request for a turn. */
export interface Turn {
  /** False: the wait is longer than the caller's patience, and nothing was given out. */
  readonly granted: boolean;
  /** Until the turn, in milliseconds. */
  readonly waitMs: number;
}

/**
 * Keeps the turns that were given out last. A new one comes a window after the one that it would make too many, so any
 * interval of the window's length holds at most the limit; a counter that starts anew with each window lets twice as
 * much through across the border of two. Turns are given out in the order of asking and each is used once, so nobody
 * polls.
 */
export class SlidingWindow {
  private readonly turns: number[] = [];

  constructor(
    private readonly windowMs: number,
    /** The largest limit that will be asked for. */
    private readonly largest: number,
  ) {}

  /** A turn at `now` or later under `limit`; any smaller limit on the same window leaves room for others. */
  reserve(now: number, limit: number, patienceMs: number): Turn {
    const turn = Math.max(this.earliest(now, limit), this.turns.at(-1) ?? 0);
    const waitMs = turn - now;
    if (waitMs > patienceMs) return { granted: false, waitMs };
    this.note(turn);
    return { granted: true, waitMs };
  }

  /** Enters a turn that was given out elsewhere. */
  note(turn: number): void {
    this.turns.push(turn);
    // In one go now and then: shifting each time would move the whole list each time.
    if (this.turns.length > 2 * this.largest) this.turns.splice(0, this.turns.length - this.largest);
  }

  /** How many turns were given out for the window that ends at `now`, or for later. */
  used(now: number): number {
    const first = this.turns.findLastIndex((turn) => turn <= now - this.windowMs) + 1;
    return this.turns.length - first;
  }

  /** The earliest time from `now` on at which fewer than `limit` turns lie within the window before it. */
  earliest(now: number, limit: number): number {
    const edge = this.turns[this.turns.length - Math.max(1, Math.floor(limit))];
    return edge === undefined ? now : Math.max(now, edge + this.windowMs);
  }
}
