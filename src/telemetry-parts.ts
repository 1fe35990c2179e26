/** Builds what tells of the gateway: its log, the lines of its requests, its audit, its metrics and its traces. */
import type { ClosingList } from "./closing-list";
import type { Config } from "./config";
import { secretsIn } from "./config/secrets";
import { packageVersion } from "./package-root";
import type { Answered } from "./server/exchange";
import { traceAzureCalls } from "./services/azure/azure-tracing";
import type { Clock } from "./services/clock";
import { createAudit, mustBeWritable, type Audit } from "./services/telemetry/audit";
import { createEvents, type Events } from "./services/telemetry/events";
import { LogLevelSwitch } from "./services/telemetry/log-level";
import { LineDestination, type DestinationStream } from "./services/telemetry/line-destination";
import { createLogger, type Logger } from "./services/telemetry/logger";
import { countedEvents } from "./services/telemetry/metrics/counted-events";
import { Metrics } from "./services/telemetry/metrics/metrics";
import { RequestLog } from "./services/telemetry/request-log";
import { scrubber } from "./services/telemetry/scrub";
import { startTracing } from "./services/telemetry/tracing";
import type { Tracing } from "./services/telemetry/tracing-options";

/** What a test may bring along. */
export interface OwnTelemetry {
  readonly events: Events;
  /** Where the log goes. */
  readonly stderr: DestinationStream;
  readonly audit: Audit;
  readonly metrics: Metrics;
  /** The process has no other gateway, so its metrics are this one's. */
  readonly ofProcess: boolean;
}

/** What tells of a gateway. */
export interface Telemetry {
  readonly events: Events;
  readonly audit: Audit;
  readonly metrics: Metrics;
  readonly level: LogLevelSwitch;
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** Enters a request in the log, if it is to be there. */
  readonly tellRequest: (answered: Answered) => void;
  /** Writes what was told of requests: before they are answered. */
  readonly flush: () => void;
  /** Throws `AUDIT_UNAVAILABLE` when the audit could not be written. */
  readonly audited: () => void;
  /** States of what is written, for health. */
  readonly states: Readonly<Record<string, () => string>>;
}

/** Builds it all. To be built first, and closed last: everything else tells what becomes of it. */
export async function startTelemetry(
  config: Config,
  clock: Clock,
  closing: ClosingList,
  own: Partial<OwnTelemetry>,
): Promise<Telemetry> {
  const clean = scrubber(secretsIn(config));
  const stderr = own.stderr ?? new LineDestination(2);
  const log = createLogger(config.logLevel, stderr, { clean });
  const level = closing.add(new LogLevelSwitch(log, config.logLevel, clock));
  const metrics = own.metrics ?? new Metrics({ version: packageVersion(), node: process.version });
  if (own.ofProcess) metrics.watchProcess();
  const events = countedEvents(own.events ?? createEvents(log), metrics);
  events.rulesInForce({ production: config.production, reason: config.rulesReason });
  // Tests that bring events along see what they want of the log in them.
  const isLogged = own.events === undefined || own.stderr !== undefined;
  const requestLog = new RequestLog(isLogged ? config.logRequests : "off", log, stderr, clean, clock);
  const audit =
    own.audit ??
    createAudit(config.audit, clock, config.audit === "stderr" ? stderr : undefined, events.auditUnwritable);
  const tracing = config.tracing && closing.add(await startTracing(config.tracing, events));
  if (tracing) traceAzureCalls();
  const flush = () => {
    audit.flush();
    requestLog.flush();
  };
  if (own.ofProcess) closing.add(lastResort(log, flush));
  return {
    events,
    audit,
    metrics,
    level,
    tracing,
    tellRequest: (answered) => {
      tellRequest(requestLog, answered);
    },
    flush,
    audited: () => {
      mustBeWritable(audit);
    },
    states: {
      log: () => stateOf(stderr.failure?.()),
      ...(config.audit !== "off" && { audit: () => stateOf(audit.failure()) }),
    },
  };
}

function stateOf(failure: string | undefined): string {
  return failure === undefined ? "ok" : "unwritable";
}

/** What nobody caught leaves the process in an unknown state: it is logged, without secrets, and the process ends with 1. */
function lastResort(log: Logger, flush: () => void): AsyncDisposable {
  const end = (error: unknown, origin: string) => {
    flush();
    log.fatal(
      { origin, stack: error instanceof Error ? error.stack : typeof error },
      "an error that nobody caught ends the process",
    );
    process.exit(1);
  };
  process.on("uncaughtException", end);
  return {
    [Symbol.asyncDispose]: () => {
      process.off("uncaughtException", end);
      return Promise.resolve();
    },
  };
}

function tellRequest(log: RequestLog, { exchange, status, outcome, durationMs, bytes }: Answered): void {
  const { id, path, operation, caller, request, span } = exchange;
  if (!log.wants(outcome, path)) return;
  log.record({
    id,
    method: request.method ?? "",
    path,
    operation: operation?.field,
    operationName: operation?.name,
    outcome,
    status,
    durationMs,
    caller,
    address: exchange.address,
    bytes,
    traceId: span?.traceId,
  });
}
