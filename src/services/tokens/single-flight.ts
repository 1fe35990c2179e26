/** Lets concurrent callers of one key share one run, and its outcome: success or failure. */

/** A run that callers share. */
export interface Flight {
  /** Aborted when every caller of this run has gone. */
  readonly signal: AbortSignal;
  /** From now on new callers of the key start a run of their own: what this one answers may be too old for them. */
  close(): void;
  /** Waits until runs of the key that were closed before this one have ended, then closes this one too. */
  takeTurn(): Promise<void>;
}

interface Seat<T> {
  readonly outcome: Promise<T>;
  readonly gone: AbortController;
  waiting: number;
}

/**
 * The seats are a field, so two services never share one, and a seat is cleared only by the run that holds it.
 * Why a run closes: a caller that arrives after a revocation has answered must not be given a token from before it.
 * Whoever joins before the last check of the generation is covered by that check; whoever comes later is not.
 */
export class SingleFlight<T> {
  private readonly seats = new Map<string, Seat<T>>();
  private readonly turns = new Map<string, Promise<unknown>>();

  /** Runs `work`, or joins the run of `key` that is open. Rejects with `signal.reason` when the caller gives up. */
  run(key: string, signal: AbortSignal, work: (flight: Flight) => Promise<T>): Promise<T> {
    const seat = this.seats.get(key) ?? this.takeOff(key, work);
    return this.wait(key, seat, signal);
  }

  private takeOff(key: string, work: (flight: Flight) => Promise<T>): Seat<T> {
    const gone = new AbortController();
    const flight: Flight = {
      signal: gone.signal,
      close: () => {
        this.clear(key, seat);
      },
      takeTurn: () => this.takeTurn(key, seat),
    };
    // The run starts in a microtask: `seat` is there by then, and callers of the same tick find it.
    const outcome = Promise.resolve()
      .then(() => work(flight))
      .finally(() => {
        this.clear(key, seat);
      });
    // Every caller may have left by the time it fails.
    outcome.catch(() => undefined);
    const seat: Seat<T> = { outcome, gone, waiting: 0 };
    this.seats.set(key, seat);
    return seat;
  }

  private async wait(key: string, seat: Seat<T>, signal: AbortSignal): Promise<T> {
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

  private async takeTurn(key: string, seat: Seat<T>): Promise<void> {
    for (let before = this.turns.get(key); before; before = this.turns.get(key)) await before;
    this.clear(key, seat);
    const turn: Promise<unknown> = seat.outcome
      .catch(() => undefined)
      .finally(() => {
        if (this.turns.get(key) === turn) this.turns.delete(key);
      });
    this.turns.set(key, turn);
  }

  private clear(key: string, seat: Seat<T>): void {
    if (this.seats.get(key) === seat) this.seats.delete(key);
  }
}
