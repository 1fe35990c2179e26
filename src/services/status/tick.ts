/** A gateway's figures over a few seconds, in a form that can be added up over gateways and averaged over time. */
import type { MetricName } from "../telemetry/metrics/definitions";
import { percentilesOf, rounded } from "./percentile";
import { countsOf, seriesIn, sumOf, type Reading } from "./readings";

/** The figures that are numbers, in the order in which they are told to other gateways. */
export const tickNames = [
  /** Operations answered in a second. */
  "operations",
  /** Of these, refused: the caller's fault, or a limit that he has reached. */
  "refusals",
  /** Of these, failed: the fault of the gateway or of what it needs. */
  "failures",
  /** Tokens served from the cache in a second. */
  "cached",
  /** Tokens served that Azure issued for it. */
  "issued",
  /** Requests in a second that were answered by another one's issuance. */
  "joined",
  /** Calls to Azure in a second. */
  "calls",
  /** Of these, failed. */
  "callFailures",
  /** Requests that are being answered. */
  "inFlight",
  "connections",
  /** Resident memory in bytes. */
  "memory",
  /** The share of the time that the event loop was busy; of several gateways, the busiest one's. */
  "busy",
] as const;

type Name = (typeof tickNames)[number];

/** A gateway's figures. */
export interface Tick extends Readonly<Record<Name, number>> {
  /** Operations in a second by how long they took: a histogram's counts. */
  readonly latency: readonly number[];
  /** The same of calls to Azure. */
  readonly callLatency: readonly number[];
}

/** The bounds of the two histograms, in seconds. */
export interface TickBounds {
  readonly latency: readonly number[];
  readonly callLatency: readonly number[];
}

/** What the process says of itself. */
export type ProcessFigures = Pick<Tick, "memory" | "busy">;

/** The codes that are no fault of the caller's. */
const failureCodes = new Set([
  "INTERNAL_SERVER_ERROR",
  "UPSTREAM_REJECTED",
  "UPSTREAM_UNAVAILABLE",
  "CACHE_UNAVAILABLE",
  "DIRECTORY_UNAVAILABLE",
  "ISSUER_UNAVAILABLE",
  "OPERATION_TIMEOUT",
]);

/** Whether an operation with this outcome failed by no fault of the caller's. */
export function isFailure(outcome: string | undefined): boolean {
  return outcome !== undefined && failureCodes.has(outcome);
}

/** Whether a call to Azure failed: it was not refused for the caller's own reasons, nor given up because he had gone. */
export function isCallFailure(outcome: string | undefined): boolean {
  return outcome !== "ok" && outcome !== "cancelled" && outcome !== "refused";
}

/** The figures of what was counted in so many seconds, and of the gauges now. */
export function tickOf(counted: Reading, seconds: number, gauges: Reading, process: ProcessFigures): Tick {
  const rate = (name: MetricName, fits?: Parameters<typeof sumOf>[2]) => sumOf(counted, name, fits) / seconds;
  const histogram = (name: MetricName) => countsOf(seriesIn(counted, name)).map((count) => count / seconds);
  const operations = "operation_duration_seconds";
  const calls = "upstream_call_duration_seconds";
  return {
    operations: rate(operations),
    refusals: rate(operations, ({ outcome }) => outcome !== "ok" && !isFailure(outcome)),
    failures: rate(operations, ({ outcome }) => isFailure(outcome)),
    cached: rate("tokens_served_total", ({ source }) => source === "cache"),
    issued: rate("tokens_served_total", ({ source }) => source === "issued"),
    joined: rate("token_flights_joined_total"),
    calls: rate(calls),
    callFailures: rate(calls, ({ outcome }) => isCallFailure(outcome)),
    inFlight: sumOf(gauges, "http_requests_in_flight"),
    connections: sumOf(gauges, "http_connections"),
    ...process,
    latency: histogram(operations),
    callLatency: histogram(calls),
  };
}

/** Several gateways' figures of the same time as those of one. */
export function together(ticks: readonly Tick[]): Tick | undefined {
  return combined(ticks, 1, (one, other) => Math.max(one, other));
}

/** A gateway's figures of several times as those of all of that time. */
export function average(ticks: readonly Tick[]): Tick | undefined {
  const sum = combined(ticks, 1 / ticks.length, (one, other) => one + other);
  return sum && { ...sum, busy: sum.busy / ticks.length };
}

function combined(
  ticks: readonly Tick[],
  factor: number,
  busier: (one: number, other: number) => number,
): Tick | undefined {
  const [first] = ticks;
  if (!first) return undefined;
  const figures = { ...first };
  for (const name of tickNames) figures[name] = ticks.reduce((sum, tick) => sum + tick[name], 0) * factor;
  figures.busy = ticks.map(({ busy }) => busy).reduce(busier);
  const histogram = (name: "latency" | "callLatency") =>
    countsOf(ticks.map((tick) => ({ labels: {}, value: 0, counts: tick[name] }))).map((n) => n * factor);
  return { ...figures, latency: histogram("latency"), callLatency: histogram("callLatency") };
}

/** For other gateways: short, and without names. */
export function encodeTick(tick: Tick): unknown[] {
  return [
    tickNames.map((name) => rounded(tick[name])),
    tick.latency.map(rounded),
    tick.callLatency.map(rounded),
  ];
}

/** Another gateway's figures; undefined when they are not in the form of this version. */
export function decodeTick(value: unknown): Tick | undefined {
  if (!Array.isArray(value) || value.length !== 3 || !value.every(isNumbers)) return undefined;
  const [figures, latency, callLatency] = value as [number[], number[], number[]];
  if (figures.length !== tickNames.length) return undefined;
  const named = Object.fromEntries(tickNames.map((name, index) => [name, figures[index]]));
  return { ...(named as Record<Name, number>), latency, callLatency };
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every((each) => Number.isFinite(each));
}

/** What is told of a tick. Rates are per second, times in milliseconds, null: there was nothing to measure. */
export interface Figures extends Readonly<Record<Name, number>> {
  /** The share of tokens that came from the cache. */
  readonly hitRatio: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly callP50: number | null;
  readonly callP95: number | null;
}

/** A tick as it is told. */
export function figuresOf(tick: Tick, bounds: TickBounds): Figures {
  const figures = Object.fromEntries(tickNames.map((name) => [name, rounded(tick[name])]));
  const served = tick.cached + tick.issued;
  const calls = percentilesOf(bounds.callLatency, tick.callLatency);
  return {
    ...(figures as Record<Name, number>),
    hitRatio: served > 0 ? rounded(tick.cached / served) : null,
    ...percentilesOf(bounds.latency, tick.latency),
    callP50: calls.p50,
    callP95: calls.p95,
  };
}
