/** Looks at the gateway's metrics every few seconds, remembers what it saw, and tells the other gateways. */
import { History } from "./history";
import type { MetricName } from "../telemetry/metrics/definitions";
import { between, boundsOf, read, type MetricSource, type Reading } from "./readings";
import type { ReplicaRegister } from "./replica-register";
import {
  average,
  figuresOf,
  tickOf,
  together,
  type ProcessFigures,
  type Tick,
  type TickBounds,
} from "./tick";

/** How often, and how much of it is remembered. */
export interface SamplingPace {
  /** Between two looks, in milliseconds. */
  readonly intervalMs: number;
  /** The monotonic time in milliseconds. */
  readonly now: () => number;
}

/** The pace of a gateway. */
export const samplingPace: SamplingPace = { intervalMs: 3_000, now: () => performance.now() };

/** Points of each history: with a look every 3 seconds, 15 minutes of these and an hour of four looks each. */
const points = 300;
/** Looks in a point of the long history. */
export const looksOfLong = 4;
/** Looks that are told as "now": a moment alone says little where there is little to do. */
const looksOfNow = 5;
/** The time of which tables tell. */
const windowMs = 300_000;
/** Looks between two readings that are kept for it. */
const looksOfWindow = 5;

/** Counters and histograms: what is counted in them is told for a time. */
const counted = [
  "operation_duration_seconds",
  "tokens_served_total",
  "token_flights_joined_total",
  "upstream_call_duration_seconds",
  "redis_call_duration_seconds",
  "requests_refused_total",
  "revocations_total",
  "create_outcomes_unknown_total",
  "values_not_opened_total",
  "dependency_failures_total",
  "files_rejected_total",
] as const satisfies readonly MetricName[];

/** Gauges that are told over time. */
const gauges = ["http_requests_in_flight", "http_connections"] as const satisfies readonly MetricName[];

/** Whose figures: this gateway's alone, or those of all together. */
export type Scope = "own" | "fleet";

/** How long ago the history begins. */
export type Span = "short" | "long";

/** The figures of one scope over time. */
class Memory {
  readonly short = new History(points);
  readonly long = new History(points);
  private readonly recent: Tick[] = [];
  private looks: Tick[] = [];

  add(at: number, tick: Tick, bounds: TickBounds): void {
    this.short.add(at, figuresOf(tick, bounds));
    this.recent.push(tick);
    if (this.recent.length > looksOfNow) this.recent.shift();
    this.looks.push(tick);
    const mean = this.looks.length === looksOfLong ? average(this.looks) : undefined;
    if (!mean) return;
    this.long.add(at, figuresOf(mean, bounds));
    this.looks = [];
  }

  now(): Tick | undefined {
    const mean = average(this.recent);
    const last = this.recent.at(-1);
    return (
      mean && last && { ...mean, inFlight: last.inFlight, connections: last.connections, memory: last.memory }
    );
  }
}

/** What happened in the last minutes. */
export interface Window {
  readonly seconds: number;
  readonly counted: Reading;
}

/** The gateway's memory of its own figures and, as far as others tell theirs, of all gateways' together. */
export class Sampler implements AsyncDisposable {
  readonly bounds: TickBounds & { readonly scriptLatency: readonly number[] };
  private readonly memories = { own: new Memory(), fleet: new Memory() };
  private readonly kept: { readonly at: number; readonly reading: Reading }[] = [];
  private last: { readonly at: number; readonly reading: Reading } | undefined;
  private looks = 0;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly source: MetricSource,
    private readonly register: ReplicaRegister,
    private readonly processFigures: () => ProcessFigures,
    private readonly onError: (error: unknown) => void,
    private readonly pace: SamplingPace = samplingPace,
  ) {
    this.bounds = {
      latency: boundsOf("operation_duration_seconds"),
      callLatency: boundsOf("upstream_call_duration_seconds"),
      scriptLatency: boundsOf("redis_call_duration_seconds"),
    };
  }

  /** Looks for the first time, says that this gateway is there, and goes on by itself. */
  async start(): Promise<void> {
    await this.look();
    this.scheduleNext();
  }

  /** Tells the others at once that this gateway accepts nothing more. */
  drain(): void {
    this.register.drain();
    this.looking = this.looking.then(() => this.register.beat(this.memories.own.now()));
  }

  /** The figures over time. */
  history(scope: Scope, span: Span) {
    return this.memories[scope][span].series(this.pace.now());
  }

  /** The figures of the last seconds; undefined before the second look. */
  now(scope: Scope): Tick | undefined {
    return this.memories[scope].now();
  }

  /** What was counted in the last five minutes, or since the start. */
  window(): Window | undefined {
    const [first] = this.kept;
    if (!first || !this.last || this.last.at <= first.at) return undefined;
    return {
      seconds: (this.last.at - first.at) / 1_000,
      counted: between(first.reading, this.last.reading),
    };
  }

  /** Metrics as they are now, by their names without the prefix. */
  read(names: readonly MetricName[]): Promise<Reading> {
    return read(this.source, names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
    await this.register.leave();
  }

  private scheduleNext(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.looking = this.looking.then(() => this.look());
      void this.looking.then(() => {
        this.scheduleNext();
      });
    }, this.pace.intervalMs);
    this.timer.unref();
  }

  /** Looks once: what has happened since the last time is remembered and told to the others. */
  async look(): Promise<void> {
    if (this.stopped) return;
    try {
      const reading = await read(this.source, counted);
      const at = this.pace.now();
      const tick = this.last && (await this.tickSince(this.last, at, reading));
      this.last = { at, reading };
      this.keep(at, reading);
      if (tick) this.memories.own.add(at, tick, this.bounds);
      // Gateways do not look at the same moment: of single looks, some would be seen twice and some by nobody.
      const told = this.memories.own.now();
      await this.register.beat(told);
      const ticks = this.register.seen().others.map((replica) => replica.tick);
      const all = told && together([told, ...ticks.filter((each) => each !== undefined)]);
      if (all) this.memories.fleet.add(at, all, this.bounds);
    } catch (error) {
      // A page that shows a little less is no reason to stop serving.
      this.onError(error);
    }
  }

  private async tickSince(
    last: { readonly at: number; readonly reading: Reading },
    at: number,
    reading: Reading,
  ): Promise<Tick> {
    const seconds = Math.max(at - last.at, 1) / 1_000;
    const now = await read(this.source, gauges);
    return tickOf(between(last.reading, reading), seconds, now, this.processFigures());
  }

  private keep(at: number, reading: Reading): void {
    if (this.looks++ % looksOfWindow !== 0) return;
    this.kept.push({ at, reading });
    while (at - (this.kept[0]?.at ?? at) > windowMs) this.kept.shift();
  }
}
