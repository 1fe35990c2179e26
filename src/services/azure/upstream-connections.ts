/** Lets as many requests go out at once as there are connections; the others queue here. */
import { startDeadline } from "../deadline";
import { NothingSent } from "./upstream-error";
import type { Operation } from "./upstream-operation";

/**
 * A queue before the HTTP agent's own: what waits in that one is on the clock of an attempt, and would tell against
 * Azure when it is our connections that are busy.
 */
export class UpstreamConnections {
  private readonly all: Places;
  private readonly ofKind = new Map<string, Places>();

  constructor(private readonly connections: number) {
    this.all = new Places(connections);
  }

  /**
   * Runs `work` when a connection is free. Rejects with the signal's reason when it aborts before, or with
   * {@link NothingSent} when none is free in `patienceMs`.
   */
  async run<T>(
    operation: Operation,
    signal: AbortSignal,
    work: () => Promise<T>,
    patienceMs = Infinity,
  ): Promise<T> {
    const places = this.placesOf(operation);
    if (patienceMs === Infinity) return places.run(signal, () => this.all.run(signal, work));
    using patience = startDeadline(patienceMs, signal);
    const wait = patience.signal;
    const had = { place: false };
    const begin = () => {
      had.place = true;
      return work();
    };
    try {
      return await places.run(wait, () => this.all.run(wait, begin));
    } catch (error) {
      throw had.place || signal.aborted || !wait.aborted ? error : allBusy();
    }
  }

  /** Half of the connections at most, so that an operation whose answers hang leaves some to the others. */
  private placesOf(operation: Operation): Places {
    // Both ways to create hold a connection for up to a minute: they share their half.
    const kind = operation === "createIdentityWithToken" ? "createIdentity" : operation;
    let places = this.ofKind.get(kind);
    if (!places) {
      places = new Places(Math.max(1, Math.floor(this.connections / 2)));
      this.ofKind.set(kind, places);
    }
    return places;
  }
}

function allBusy(): NothingSent {
  return new NothingSent(
    "UPSTREAM_UNAVAILABLE",
    "Every connection to Azure Communication Services is waiting for an answer. Try again later.",
    { retryAfterSeconds: 1 },
  );
}

interface Waiting {
  readonly go: () => void;
}

/** So many at once, the others in their order. */
class Places {
  private readonly queue = new Set<Waiting>();
  private busy = 0;

  constructor(private readonly most: number) {}

  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.busy >= this.most) await this.turn(signal);
    else this.busy += 1;
    try {
      return await work();
    } finally {
      const [next] = this.queue;
      // The place goes from hand to hand.
      if (next) next.go();
      else this.busy -= 1;
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.queue.delete(waiting);
        reject(signal.reason as Error);
      };
      const waiting = {
        go: () => {
          this.queue.delete(waiting);
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      this.queue.add(waiting);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
