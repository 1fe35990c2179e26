/** Asks every primary again and again whether it can serve, so that nobody waits for one that cannot. */

import { impatience } from "./impatience";

/** A primary as the heartbeat sees it. */
export interface Pulsing {
  /** Names it among the others. */
  readonly id: string;
  /** Resolves when it can write, rejects with its error when it cannot. */
  probe(): Promise<unknown>;
  /** Cuts the connection to it, so that the next one goes to whoever is the primary then. */
  drop(): void;
}

/** How the heart beats. */
export interface HeartbeatOptions {
  /** Between two beats, in milliseconds. */
  readonly intervalMs: number;
  /** The longest that a beat may take, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * How long a beat is believed, in milliseconds; `Infinity` where no other server can take over. It must be shorter
   * than the time after which another is promoted in the place of one that is silent.
   */
  readonly trustMs: number;
  /** A short code for an error of Redis. */
  readonly reasonOf: (error: unknown) => string;
}

/** How the primaries are, taken together. */
export interface Vitals {
  /** `full`: it answers, but takes no more data. `partly`: some primaries of a Cluster are away. */
  readonly status: "ok" | "full" | "partly" | "away";
  /** Why one of them is away. */
  readonly reason: string | undefined;
}

/** What the heartbeat tells. */
export interface HeartbeatEvents {
  readonly redisAway: (event: { node: string; reason: string }) => void;
  readonly redisBack: (event: { node: string; awayMs: number }) => void;
}

interface Pulse {
  up: boolean;
  full: boolean;
  reason: string;
  /** Good beats in a row. */
  good: number;
  /** When the last good beat was sent. */
  sentAt: number;
  downSince: number;
}

/** A primary that was away is believed after this many good beats in a row: the first may come from a past that it has not noticed yet. */
const goodBeats = 2;

/**
 * This is the circuit breaker of Redis. It opens on the first beat that fails, and closes by itself.
 *
 * It is also the gateway's part of fencing. A primary that was frozen and replaced does not know it yet when it wakes
 * up, and for a moment answers from the past. So a primary is asked only while its last good beat is younger than
 * `trustMs`, its connection is cut as soon as a beat fails, and one that comes back is believed only after some beats,
 * by when it has heard of its successor.
 */
export class Heartbeat implements Disposable {
  private readonly pulses = new Map<string, Pulse>();
  private readonly backListeners: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly primaries: () => readonly Pulsing[],
    private readonly options: HeartbeatOptions,
    private readonly events: HeartbeatEvents,
  ) {}

  /** Beats once, and believes it: the server was looked up just now. Then goes on by itself. */
  async start(): Promise<void> {
    await this.round();
    for (const pulse of this.pulses.values()) pulse.up = pulse.good > 0;
    this.scheduleNext();
  }

  /** Why the primary must not be asked now; undefined when it may be. */
  refusal(id: string | undefined): string | undefined {
    const pulse = id === undefined ? undefined : this.pulses.get(id);
    if (!pulse?.up) return pulse?.reason ?? "UNKNOWN_NODE";
    if (performance.now() - pulse.sentAt <= this.options.trustMs) return undefined;
    // This process was held up for so long that the primary may have been replaced meanwhile.
    this.primaries()
      .find((primary) => primary.id === id)
      ?.drop();
    this.failed(id ?? "", pulse, "STALE");
    return pulse.reason;
  }

  /** How the primaries were at their last beats. */
  vitals(): Vitals {
    const pulses = [...this.pulses.values()];
    const down = pulses.find((pulse) => !pulse.up);
    if (pulses.length === 0) return { status: "away", reason: "UNKNOWN_NODE" };
    if (down) {
      return { status: pulses.some((pulse) => pulse.up) ? "partly" : "away", reason: down.reason };
    }
    return { status: pulses.some((pulse) => pulse.full) ? "full" : "ok", reason: undefined };
  }

  /** Calls `listener` each time a primary is back. */
  onBack(listener: () => void): void {
    this.backListeners.push(listener);
  }

  [Symbol.dispose](): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private scheduleNext(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      void this.round().then(() => {
        this.scheduleNext();
      });
    }, this.options.intervalMs);
    this.timer.unref();
  }

  private async round(): Promise<void> {
    const primaries = this.primaries();
    const present = new Set(primaries.map(({ id }) => id));
    for (const [id, pulse] of this.pulses) {
      if (present.has(id)) continue;
      if (pulse.up) this.events.redisAway({ node: id, reason: "GONE" });
      this.pulses.delete(id);
    }
    await Promise.all(primaries.map((primary) => this.beat(primary)));
  }

  private async beat(primary: Pulsing): Promise<void> {
    const pulse = this.pulseOf(primary.id);
    const sentAt = performance.now();
    const reason = await this.ask(primary);
    if (this.stopped) return;
    if (reason === undefined || reason === "OOM") {
      pulse.good += 1;
      pulse.sentAt = sentAt;
      pulse.full = reason === "OOM";
      if (!pulse.up && pulse.good >= goodBeats) this.recovered(primary.id, pulse);
      return;
    }
    primary.drop();
    this.failed(primary.id, pulse, reason);
  }

  private recovered(id: string, pulse: Pulse): void {
    pulse.up = true;
    this.events.redisBack({ node: id, awayMs: Math.round(performance.now() - pulse.downSince) });
    for (const listener of this.backListeners) listener();
  }

  private failed(id: string, pulse: Pulse, reason: string): void {
    pulse.good = 0;
    pulse.reason = reason;
    if (!pulse.up) return;
    pulse.up = false;
    pulse.downSince = performance.now();
    this.events.redisAway({ node: id, reason });
  }

  /** The code of what is wrong; undefined when nothing is. */
  private ask(primary: Pulsing): Promise<string | undefined> {
    return new Promise((resolve) => {
      const cancel = impatience(this.options.timeoutMs, () => {
        resolve("TIMEOUT");
      });
      primary
        .probe()
        .then(
          () => undefined,
          (error: unknown) => this.options.reasonOf(error),
        )
        .then((reason) => {
          cancel();
          resolve(reason);
        }, resolve);
    });
  }

  private pulseOf(id: string): Pulse {
    let pulse = this.pulses.get(id);
    if (!pulse) {
      const now = performance.now();
      pulse = { up: false, full: false, reason: "STARTING", good: 0, sentAt: 0, downSince: now };
      this.pulses.set(id, pulse);
    }
    return pulse;
  }
}
