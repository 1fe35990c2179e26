/** Lets concurrent callers of one key share one run, and its outcome: success or failure. */

/** A point in the order of events in this process. Milliseconds are too coarse to order them. */
export type Moment = number;

/** What a run came to. */
export interface Outcome<T> {
  readonly value: T;
  /**
   * The moment before the question was sent whose answer vouches for the value. Whoever began later may know of
   * things that the answer does not, and must not be given it.
   */
  readonly asOf: Moment;
}

/** A run that callers share. */
export interface Flight {
  /** Aborted when every caller of this run has gone. */
  readonly signal: AbortSignal;
}

interface Seat<T> {
  readonly outcome: Promise<Outcome<T>>;
  readonly gone: AbortController;
  waiting: number;
}

/**
 * At most one run per key at a time. A caller that began after the moment of a run's outcome waits for that run all
 * the same, so that runs do not pile up, and then shares the next one, which vouches for everybody who waited.
 */
export class SingleFlight<T> {
  private readonly seats = new Map<string, Seat<T>>();
  private moments = 0;

  /** @param joined called for each caller that was given the outcome of another's run. */
  constructor(private readonly joined: () => void = () => undefined) {}

  /** The present moment, later than every one before. */
  moment(): Moment {
    return ++this.moments;
  }

  /** Runs `work`, or joins the run of `key`. Rejects with `signal.reason` when the caller gives up. */
  async run(
    key: string,
    began: Moment,
    signal: AbortSignal,
    work: (flight: Flight) => Promise<Outcome<T>>,
  ): Promise<T> {
    for (;;) {
      const others = this.seats.get(key);
      const { value, asOf } = await this.wait(key, others ?? this.takeOff(key, work), signal);
      if (began >= asOf) continue;
      if (others) this.joined();
      return value;
    }
  }

  private takeOff(key: string, work: (flight: Flight) => Promise<Outcome<T>>): Seat<T> {
    const gone = new AbortController();
    // The run starts in a microtask: `seat` is there by then, and callers of the same tick find it.
    const outcome = Promise.resolve()
      .then(() => work({ signal: gone.signal }))
      .finally(() => {
        this.clear(key, seat);
      });
    // Every caller may have left by the time it fails.
    outcome.catch(() => undefined);
    const seat: Seat<T> = { outcome, gone, waiting: 0 };
    this.seats.set(key, seat);
    return seat;
  }

  private async wait(key: string, seat: Seat<T>, signal: AbortSignal): Promise<Outcome<T>> {
    seat.waiting += 1;
    let stopListening: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      const leave = () => {
        reject(signal.reason as Error);
      };
      if (signal.aborted) leave();
      signal.addEventListener("abort", leave, { once: true });
      stopListening = () => {
        signal.removeEventListener("abort", leave);
      };
    });
    try {
      return await Promise.race([seat.outcome, left]);
    } finally {
      stopListening();
      seat.waiting -= 1;
      if (seat.waiting === 0) {
        this.clear(key, seat);
        seat.gone.abort();
      }
    }
  }

  private clear(key: string, seat: Seat<T>): void {
    if (this.seats.get(key) === seat) this.seats.delete(key);
  }
}
