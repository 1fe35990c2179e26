/** The metrics of one gateway: what the parts count, and what is read from them when somebody asks. */
import type { UpstreamReading } from "../../azure/acs-policies";
import type { Vitals } from "../../redis/heartbeat";
import { MetricsRegistry, type Reading } from "./registry";
import type { DurationSeries } from "./series";

/** An ACS resource, by the host of its endpoint, and how to read it. */
interface WatchedResource {
  readonly resource: string;
  /** Never rejects. */
  readonly read: () => Promise<readonly UpstreamReading[]>;
}

/** What is read when somebody asks; each may come later than the metrics. */
export interface Watched {
  http?: () => { readonly requestsInFlight: number; readonly connections: number };
  subscriptionsOpen?: () => number;
  revocationsOwed?: () => number;
  /** Undefined: there is no Redis. */
  redis?: (() => Vitals) | undefined;
  upstream?: readonly WatchedResource[];
}

/** Routes by which requests are counted. */
export type CountedRoute = "graphql" | "health" | "metrics" | "status" | "explorer" | "other";

/** Where another request's issuance was at work. */
export type FlightPlace = "process" | "replica";

/** Counts what it is told, and reads what it was given to watch. Nothing in it is anybody's text. */
export class Metrics {
  /** What the gauges read. */
  readonly watched: Watched = {};
  readonly #registry = new MetricsRegistry();
  readonly #operations = this.#registry.histogram("operation_duration_seconds");
  readonly #requests = this.#registry.counter("http_requests_total");
  readonly #refused = this.#registry.counter("requests_refused_total");
  readonly #served = this.#registry.counter("tokens_served_total");
  readonly #joined = this.#registry.counter("token_flights_joined_total");
  readonly #renewed = this.#registry.counter("tokens_renewed_total");
  readonly #superseded = this.#registry.counter("tokens_superseded_total");
  readonly #notOpened = this.#registry.counter("values_not_opened_total");
  readonly #revocations = this.#registry.counter("revocations_total");
  readonly #created = this.#registry.counter("identities_created_total");
  readonly #deleted = this.#registry.counter("identities_deleted_total");
  readonly #orphans = this.#registry.counter("orphans_deleted_total");
  readonly #unknownCreates = this.#registry.counter("create_outcomes_unknown_total");
  readonly #upstream = this.#registry.histogram("upstream_call_duration_seconds");
  readonly #redisCalls = this.#registry.histogram("redis_call_duration_seconds");
  readonly #failures = this.#registry.counter("dependency_failures_total");
  readonly #files = this.#registry.counter("files_rejected_total");
  readonly #faults = this.#registry.counter("internal_errors_total");
  readonly #cached = this.#served.of("cache");
  readonly #issued = this.#served.of("issued");
  /** Since when Redis was last seen to be away, in this process's own time. */
  #awaySince: number | undefined;
  /** Not yet in the counter. */
  #awayMs = 0;
  #upstreamNow: Promise<readonly (readonly [resource: string, UpstreamReading])[]> | undefined;

  constructor(build: { readonly version: string; readonly node: string }) {
    const registry = this.#registry;
    registry.gauge("build_info", () => [[1, build.version, build.node]]);
    registry.gauge("http_requests_in_flight", () => one(this.watched.http?.().requestsInFlight));
    registry.gauge("http_connections", () => one(this.watched.http?.().connections));
    registry.gauge("subscriptions_open", () => one(this.watched.subscriptionsOpen?.()));
    registry.gauge("revocations_owed", () => one(this.watched.revocationsOwed?.()));
    registry.gauge("upstream_budget_limit", () => this.#each(({ limit }) => limit));
    registry.gauge("upstream_budget_remaining", () => this.#each(({ remaining }) => remaining));
    registry.gauge("upstream_queue_length", () => this.#each(({ queued }) => queued));
    registry.gauge("upstream_circuit_open", () => this.#each(({ circuitOpen }) => Number(circuitOpen)));
    registry.gauge("redis_up", () => one(this.watched.redis && Number(!isAway(this.watched.redis()))));
    registry.counter("redis_away_seconds_total", (family) => {
      family.of().inc(this.#awaySeconds());
    });
    this.#beginAtZero();
  }

  /** Metrics of the process as well. There is no way to take them back, so only who owns the process asks. */
  watchProcess(): void {
    this.#registry.watchProcess();
  }

  /** The media type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.text();
  }

  /** @param operation a root field, or one of a few words; @param outcome `ok` or an error's code. */
  operationEnded(operation: string, outcome: string, seconds: number): void {
    this.#operations.of(operation, outcome).observe(seconds);
  }

  /** @param status as a text, so that no text is made for each request. */
  requestEnded(route: CountedRoute, status: string): void {
    this.#requests.of(route, status).inc();
  }

  requestRefused(code: string): void {
    this.#refused.of(code).inc();
  }

  tokenServed(source: "issued" | "cache"): void {
    (source === "cache" ? this.#cached : this.#issued).inc();
  }

  flightJoined(where: FlightPlace): void {
    this.#joined.of(where).inc();
  }

  tokenRenewed(outcome: "renewed" | "failed"): void {
    this.#renewed.of(outcome).inc();
  }

  tokenSuperseded(): void {
    this.#superseded.of().inc();
  }

  valueDidNotOpen(): void {
    this.#notOpened.of().inc();
  }

  tokensRevoked(cause: "revocation" | "deletion", confirmed: boolean): void {
    this.#revocations.of(cause, String(confirmed)).inc();
  }

  identityCreated(withToken: boolean): void {
    this.#created.of(String(withToken)).inc();
  }

  identityDeleted(): void {
    this.#deleted.of().inc();
  }

  orphanDeleted(): void {
    this.#orphans.of().inc();
  }

  createOutcomeUnknown(): void {
    this.#unknownCreates.of().inc();
  }

  upstreamCall(resource: string, operation: string, outcome: UpstreamOutcome, seconds: number): void {
    this.#upstream.of(resource, operation, outcome).observe(seconds);
  }

  /** Where the calls of a script are entered. */
  redisCalls(script: string): DurationSeries {
    return this.#redisCalls.of(script);
  }

  /** Redis went away or came back: the time that it was away until now is counted. */
  redisChanged(): void {
    this.#awayMs += this.#awayUntilNow();
  }

  dependencyFailed(dependency: Dependency): void {
    this.#failures.of(dependency).inc();
  }

  fileRejected(file: WatchedFileKind): void {
    this.#files.of(file).inc();
  }

  internalError(): void {
    this.#faults.of().inc();
  }

  #awayUntilNow(): number {
    const now = performance.now();
    const ms = this.#awaySince === undefined ? 0 : now - this.#awaySince;
    const vitals = this.watched.redis?.();
    this.#awaySince = vitals && isAway(vitals) ? now : undefined;
    return ms;
  }

  #awaySeconds(): number {
    const ms = this.#awayMs + this.#awayUntilNow();
    this.#awayMs = 0;
    return ms / 1_000;
  }

  /** All gauges of one reading show the same moment, and the resources are asked once for it. */
  async #each(value: (reading: UpstreamReading) => number): Promise<Reading[]> {
    this.#upstreamNow ??= this.#readUpstream().finally(() => {
      this.#upstreamNow = undefined;
    });
    return (await this.#upstreamNow).map(([resource, reading]) => [
      value(reading),
      resource,
      reading.operation,
    ]);
  }

  async #readUpstream(): Promise<(readonly [string, UpstreamReading])[]> {
    const all = await Promise.all(
      (this.watched.upstream ?? []).map(async ({ resource, read }) =>
        (await read()).map((reading) => [resource, reading] as const),
      ),
    );
    return all.flat();
  }

  /** A rate counts from the first value that was seen, so what can be counted is there from the beginning. */
  #beginAtZero(): void {
    for (const where of ["process", "replica"]) this.#joined.of(where);
    for (const outcome of ["renewed", "failed"]) this.#renewed.of(outcome);
    for (const cause of ["revocation", "deletion"]) {
      for (const confirmed of ["true", "false"]) this.#revocations.of(cause, confirmed);
    }
    for (const withToken of ["true", "false"]) this.#created.of(withToken);
    for (const dependency of dependencies) this.#failures.of(dependency);
    for (const file of watchedFiles) this.#files.of(file);
  }
}

/** What became of an attempt at Azure: an answer, 429, 401 or 403, another refusal, a fault of Azure's, no answer, or nobody waited. */
export const upstreamOutcomes = [
  "ok",
  "throttled",
  "credential_refused",
  "refused",
  "failed",
  "no_answer",
  "cancelled",
] as const;
/** One of {@link upstreamOutcomes}. */
export type UpstreamOutcome = (typeof upstreamOutcomes)[number];

const dependencies = ["store", "budget", "notices", "directory", "issuer"] as const;
/** Parts that can be away for a while. */
export type Dependency = (typeof dependencies)[number];

const watchedFiles = ["encryption_keys", "api_keys", "tls"] as const;
/** Files that are read again when they change. */
export type WatchedFileKind = (typeof watchedFiles)[number];

function one(value: number | undefined): Reading[] {
  return value === undefined ? [] : [[value]];
}

function isAway({ status }: Vitals): boolean {
  return status === "away" || status === "partly";
}
