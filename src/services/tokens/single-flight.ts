/** Lets concurrent callers of one key share one run, and its outcome: success or failure. */
import { during, traced, type Span, type SpanOptions } from "../telemetry/span";

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
  /** Part of the work of whoever came first, if that is traced. */
  readonly span: Span | undefined;
}

interface Seat<T> {
  readonly outcome: Promise<Outcome<T>>;
  readonly gone: AbortController;
  readonly span: Span | undefined;
  waiting: number;
  isOver: boolean;
}

/** How a run stands in the trace of whoever came first, and in those of the others, which are linked to it. */
const flying: SpanOptions = { name: "obtain token", kind: "internal" };
const joining: SpanOptions = { name: "wait for another request's token", kind: "internal" };

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
    span?: Span,
  ): Promise<T> {
    for (;;) {
      const known = this.seats.get(key);
      const seat = known ?? this.takeOff(key, work, span);
      const { value, asOf } =
        known && span ? await this.join(key, known, signal, span) : await this.wait(key, seat, signal);
      if (began >= asOf) continue;
      if (known) this.joined();
      return value;
    }
  }

  private takeOff(
    key: string,
    work: (flight: Flight) => Promise<Outcome<T>>,
    caller: Span | undefined,
  ): Seat<T> {
    const gone = new AbortController();
    const span = caller?.child(flying);
    const fly = () => work({ signal: gone.signal, span });
    // The run starts in a microtask: `seat` is there by then, and callers of the same tick find it.
    const outcome = Promise.resolve()
      .then(() => (span ? during(span, fly) : fly()))
      .finally(() => {
        seat.isOver = true;
        this.clear(key, seat);
      });
    // Every caller may have left by the time it fails.
    outcome.catch(() => undefined);
    const seat: Seat<T> = { outcome, gone, span, waiting: 0, isOver: false };
    this.seats.set(key, seat);
    return seat;
  }

  private join(key: string, seat: Seat<T>, signal: AbortSignal, span: Span): Promise<Outcome<T>> {
    const options = seat.span ? { ...joining, links: [seat.span] } : joining;
    return traced(span, options, () => this.wait(key, seat, signal));
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
        // What is over needs no end: to abort is dear, with an error and all that listens.
        if (!seat.isOver) seat.gone.abort();
      }
    }
  }

  private clear(key: string, seat: Seat<T>): void {
    if (this.seats.get(key) === seat) this.seats.delete(key);
  }
}
