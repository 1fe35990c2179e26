/** Puts together what the status page shows, from the metrics, the sampler's memory and the register of gateways. */
import type { Clock } from "../clock";
import type { Vitals } from "../redis/heartbeat";
import type { MetricName } from "../telemetry/metrics/definitions";
import { concernsOf } from "./concerns";
import { percentilesOf } from "./percentile";
import { countsOf, seriesIn, sumOf, type Reading, type Series } from "./readings";
import type { Replica, ReplicaRegister } from "./replica-register";
import { looksOfLong, type Sampler, type Scope, type Span, type Window } from "./sampler";
import type { AzureStatus, Count, OperationStatus, ReplicaStatus, ScriptStatus, Status } from "./status";
import { figuresOf, isCallFailure, isFailure, type Tick } from "./tick";

/** What is told of since the start: the metrics, and what the page calls them. */
const totals = [
  ["tokens_served_total", "Tokens served"],
  ["token_flights_joined_total", "Requests answered by another one's issuance"],
  ["tokens_renewed_total", "Tokens renewed ahead of their end"],
  ["tokens_superseded_total", "Tokens discarded, a revocation having overtaken them"],
  ["identities_created_total", "Identities created"],
  ["identities_deleted_total", "Identities deleted"],
  ["orphans_deleted_total", "Identities deleted that no caller received"],
  ["create_outcomes_unknown_total", "Creates whose outcome is unknown"],
  ["internal_errors_total", "Faults of the gateway itself"],
] as const satisfies readonly (readonly [MetricName, string])[];

/** Read when the page asks. */
const readNow = [
  ...totals.map(([name]) => name),
  "revocations_total",
  "upstream_budget_limit",
  "upstream_budget_remaining",
  "upstream_queue_length",
  "upstream_circuit_open",
  "redis_away_seconds_total",
  "revocations_owed",
  "subscriptions_open",
] as const satisfies readonly MetricName[];

/** What the composition root knows of the gateway's set-up. */
export interface SetUp {
  /** How many gateways are said to share the resource. */
  readonly replicas: number;
  /** Without secrets. */
  readonly configuration: Status["configuration"];
}

/** Asked by the page. */
export class GatewayStatus {
  constructor(
    private readonly sampler: Sampler,
    private readonly register: ReplicaRegister,
    private readonly redis: { vitals(): Vitals } | undefined,
    private readonly setUp: SetUp,
    private readonly intervalMs: number,
    private readonly clock: Clock,
  ) {}

  /** Everything as it is now. */
  async status(scope: Scope, span: Span): Promise<Status> {
    const reading = await this.sampler.read(readNow);
    const now = this.sampler.now(scope);
    const { self, state } = this.register;
    const heap = process.memoryUsage();
    const told: Omit<Status, "concerns"> = {
      at: this.clock.now(),
      gateway: { ...self, node: process.versions.node, state },
      scope,
      span,
      stepSeconds: ((span === "long" ? looksOfLong : 1) * this.intervalMs) / 1_000,
      now: now ? this.figures(now) : null,
      history: this.sampler.history(scope, span),
      replicas: this.replicas(),
      window: this.window(reading, this.sampler.window()),
      redis: this.redisStatus(reading),
      totals: totals.map(([metric, name]) => ({ name, count: sumOf(reading, metric) })),
      revocations: revocationsIn(reading),
      process: {
        memory: heap.rss,
        heapUsed: heap.heapUsed,
        heapTotal: heap.heapTotal,
        subscriptions: sumOf(reading, "subscriptions_open"),
      },
      configuration: this.setUp.configuration,
    };
    return {
      ...told,
      concerns: concernsOf(told, {
        replicas: this.setUp.replicas,
        owed: sumOf(reading, "revocations_owed"),
        counted: this.sampler.window()?.counted ?? new Map(),
      }),
    };
  }

  private figures(tick: Tick) {
    return figuresOf(tick, this.sampler.bounds);
  }

  private replicas(): Status["replicas"] {
    const { state, others } = this.register.seen();
    const self: Replica = {
      ...this.register.self,
      state: this.register.state,
      tick: this.sampler.now("own"),
      ageMs: 0,
    };
    const list = [self, ...others].map(({ tick, ageMs, ...replica }): ReplicaStatus => ({
      ...replica,
      isSelf: replica.id === self.id,
      ageSeconds: Math.round(ageMs / 100) / 10,
      figures: tick ? this.figures(tick) : null,
    }));
    return { known: state, list };
  }

  private redisStatus(reading: Reading): Status["redis"] {
    if (!this.redis) return null;
    const { status, reason } = this.redis.vitals();
    const awaySeconds = Math.round(sumOf(reading, "redis_away_seconds_total"));
    return { status, reason: reason ?? null, awaySeconds };
  }

  private window(reading: Reading, window: Window | undefined): Status["window"] {
    const counted: Reading = window?.counted ?? new Map();
    const seconds = window?.seconds ?? 0;
    return {
      seconds: Math.round(seconds),
      operations: this.operations(counted, seconds),
      errors: errorsIn(counted),
      azure: this.azure(reading, counted),
      scripts: this.scripts(counted),
    };
  }

  private operations(counted: Reading, seconds: number): OperationStatus[] {
    return grouped(seriesIn(counted, "operation_duration_seconds"), "operation")
      .map(([operation, series]) => {
        const of = (fits: (outcome: string | undefined) => boolean) =>
          sum(series.filter(({ labels }) => fits(labels.outcome)));
        const count = sum(series);
        return {
          operation,
          count,
          perSecond: seconds > 0 ? count / seconds : 0,
          refused: of((outcome) => outcome !== "ok" && !isFailure(outcome)),
          failed: of(isFailure),
          ...percentilesOf(this.sampler.bounds.latency, countsOf(series)),
        };
      })
      .filter(({ count }) => count > 0)
      .sort((one, other) => other.count - one.count);
  }

  private azure(reading: Reading, counted: Reading): AzureStatus[] {
    const calls = seriesIn(counted, "upstream_call_duration_seconds");
    const where = ({ labels }: Series) => `${labels.resource ?? ""}\0${labels.operation ?? ""}`;
    const gauge = (name: MetricName, place: string) =>
      seriesIn(reading, name).find((series) => where(series) === place)?.value;
    const places = new Set(
      [
        ...seriesIn(reading, "upstream_budget_limit"),
        ...seriesIn(reading, "upstream_circuit_open"),
        ...calls,
      ].map(where),
    );
    return [...places].sort().map((place) => {
      const [resource = "", operation = ""] = place.split("\0");
      const here = calls.filter((series) => where(series) === place);
      return {
        resource,
        operation,
        limit: gauge("upstream_budget_limit", place) ?? null,
        remaining: gauge("upstream_budget_remaining", place) ?? null,
        queued: gauge("upstream_queue_length", place) ?? 0,
        circuitOpen: (gauge("upstream_circuit_open", place) ?? 0) > 0,
        calls: sum(here),
        failed: sum(here.filter(({ labels }) => isCallFailure(labels.outcome))),
        ...percentilesOf(this.sampler.bounds.callLatency, countsOf(here)),
      };
    });
  }

  private scripts(counted: Reading): ScriptStatus[] {
    return grouped(seriesIn(counted, "redis_call_duration_seconds"), "script")
      .map(([script, series]) => ({
        script,
        count: sum(series),
        ...percentilesOf(this.sampler.bounds.scriptLatency, countsOf(series)),
      }))
      .filter(({ count }) => count > 0)
      .sort((one, other) => other.count - one.count);
  }
}

function isUnconfirmed({ confirmed }: Series["labels"]): boolean {
  return confirmed === "false";
}

function revocationsIn(reading: Reading): Status["revocations"] {
  return grouped(seriesIn(reading, "revocations_total"), "cause").map(([cause, series]) => {
    const unconfirmed = sum(series.filter(({ labels }) => isUnconfirmed(labels)));
    return { cause, confirmed: sum(series) - unconfirmed, unconfirmed };
  });
}

/** By their codes: those of operations, and those of requests that never became one. */
function errorsIn(counted: Reading): Count[] {
  const outcomes = grouped(seriesIn(counted, "operation_duration_seconds"), "outcome");
  const refused = grouped(seriesIn(counted, "requests_refused_total"), "code");
  const counts = new Map<string, number>();
  // An operation that was refused is in both.
  for (const [code, series] of [...outcomes, ...refused]) {
    counts.set(code, Math.max(counts.get(code) ?? 0, sum(series)));
  }
  counts.delete("ok");
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .filter(({ count }) => count > 0)
    .sort((one, other) => other.count - one.count);
}

function grouped(series: readonly Series[], label: string): [string, Series[]][] {
  const groups = new Map<string, Series[]>();
  for (const each of series) {
    const name = each.labels[label] ?? "";
    const group = groups.get(name);
    if (group) group.push(each);
    else groups.set(name, [each]);
  }
  return [...groups];
}

function sum(series: readonly Series[]): number {
  return series.reduce((all, { value }) => all + value, 0);
}
