/** Which of the gateway's metrics the page shows: those that several panels share. */
import type { Match, Period } from "./period";

export const operations = "operation_duration_seconds";
export const calls = "upstream_call_duration_seconds";
export const scripts = "redis_call_duration_seconds";

/** Outcomes for which the gateway, ACS or a part of the gateway is to blame: those of the alert on the error rate. */
export const failures: ReadonlySet<string> = new Set([
  "INTERNAL_SERVER_ERROR",
  "UPSTREAM_REJECTED",
  "UPSTREAM_UNAVAILABLE",
  "CACHE_UNAVAILABLE",
  "DIRECTORY_UNAVAILABLE",
  "ISSUER_UNAVAILABLE",
  "OPERATION_TIMEOUT",
  "other",
]);
/** Outcomes of calls to ACS that are not ACS's fault: success, a caller that left, a refusal of the caller's input. */
const harmless: ReadonlySet<string> = new Set(["ok", "cancelled", "refused"]);

export const failed: Match = ({ outcome = "" }) => failures.has(outcome);
export const refused: Match = (labels) => labels.outcome !== "ok" && !failed(labels);
export const callFailed: Match = ({ outcome = "" }) => !harmless.has(outcome);
export const issueToken: Match = ({ operation, outcome }) => operation === "issueToken" && outcome === "ok";

/** Use of one of ACS's rate limits. */
export interface LimitUse {
  readonly resource: string;
  readonly operation: string;
  readonly limit: number;
  readonly used: number;
  readonly queued: number;
  readonly isCircuitOpen: boolean;
}

/** The use of each limit, the fullest first. */
export function limitUses(period: Period): LimitUse[] {
  return period
    .series("upstream_budget_limit")
    .map(({ labels: { resource = "", operation = "" } }) => {
      const same: Match = (labels) => labels.resource === resource && labels.operation === operation;
      const limit = period.now("upstream_budget_limit", same) ?? 0;
      return {
        resource,
        operation,
        limit,
        used: limit - (period.now("upstream_budget_remaining", same) ?? limit),
        queued: period.now("upstream_queue_length", same) ?? 0,
        isCircuitOpen: (period.now("upstream_circuit_open", same) ?? 0) > 0,
      };
    })
    .sort((one, other) => usedShare(other) - usedShare(one));
}

export function usedShare({ limit, used }: LimitUse): number {
  return limit === 0 ? 1 : used / limit;
}

/**
 * Event loop lag in seconds. Node.js measures it from one scrape to the next, of this page or of Prometheus: right after
 * another scrape nothing was measured, and the result is null.
 */
export const eventLoopLag = (quantile: "p50" | "p99") => (period: Period) => {
  const seconds = period.now(`nodejs_eventloop_lag_${quantile}_seconds`);
  return seconds !== null && seconds > 1e-5 ? seconds : null;
};
