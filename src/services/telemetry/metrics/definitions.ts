/** Every metric of the gateway's own: its type, its labels and what it tells. */

/** What there is to know of a metric. */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  /** At most three. */
  readonly labels: readonly string[];
  /** One sentence without a full stop. */
  readonly help: string;
  /** Upper bounds in seconds, of a histogram. */
  readonly buckets?: readonly number[];
}

/** Starts the name of each. */
export const metricPrefix = "acs_token_gateway_";

const operationBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const azureBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const redisBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** The metrics by their names without the prefix. */
export const metricDefinitions = {
  operation_duration_seconds: {
    type: "histogram",
    labels: ["operation", "outcome"],
    help: "Duration of GraphQL operations, from the arrival of the request to its answer, by root field and outcome",
    buckets: operationBuckets,
  },
  http_requests_total: {
    type: "counter",
    labels: ["route", "status"],
    help: "HTTP requests that are over, by route and status",
  },
  http_requests_in_flight: {
    type: "gauge",
    labels: [],
    help: "HTTP requests that are not over, streams of subscriptions among them",
  },
  http_connections: { type: "gauge", labels: [], help: "Connections that clients have open" },
  requests_refused_total: {
    type: "counter",
    labels: ["code"],
    help: "Requests and operations that were refused, by the code of the error",
  },
  subscriptions_open: { type: "gauge", labels: [], help: "Streams of subscriptions that are open" },
  tokens_served_total: {
    type: "counter",
    labels: ["source"],
    help: "Tokens that issueToken has answered with, from Azure or from the cache",
  },
  token_flights_joined_total: {
    type: "counter",
    labels: ["where"],
    help: "Requests for a token that were answered by the issuance of another request, in this process or at another replica",
  },
  tokens_renewed_total: {
    type: "counter",
    labels: ["outcome"],
    help: "Cached tokens that were renewed in the background, or could not be",
  },
  tokens_superseded_total: {
    type: "counter",
    labels: [],
    help: "Tokens that were discarded because a revocation overtook their issuance",
  },
  values_not_opened_total: {
    type: "counter",
    labels: [],
    help: "Cached values that no encryption key has opened; each counts as a miss",
  },
  revocations_total: {
    type: "counter",
    labels: ["cause", "confirmed"],
    help: "Revocations that Azure has carried out, and whether the cache could be told before they were answered",
  },
  revocations_owed: {
    type: "gauge",
    labels: [],
    help: "Identities of whose revocation this process could not yet tell the cache",
  },
  identities_created_total: {
    type: "counter",
    labels: ["with_token"],
    help: "Identities that were made, with a token in the same call or without",
  },
  identities_deleted_total: { type: "counter", labels: [], help: "Identities that were deleted" },
  orphans_deleted_total: {
    type: "counter",
    labels: [],
    help: "Identities that no caller received, and that were deleted therefore",
  },
  create_outcomes_unknown_total: {
    type: "counter",
    labels: [],
    help: "Creates after which an identity that nobody uses may be left at ACS",
  },
  upstream_call_duration_seconds: {
    type: "histogram",
    labels: ["resource", "operation", "outcome"],
    help: "Duration of each attempt of a call to Azure",
    buckets: azureBuckets,
  },
  upstream_budget_limit: {
    type: "gauge",
    labels: ["resource", "operation"],
    help: "Calls in a window of 30 seconds that this gateway keeps to: Azure's limit, or its share while Redis is away",
  },
  upstream_budget_remaining: {
    type: "gauge",
    labels: ["resource", "operation"],
    help: "What is left of that limit now; with Redis of all replicas together",
  },
  upstream_queue_length: {
    type: "gauge",
    labels: ["resource", "operation"],
    help: "Calls of this process that wait for their turn under Azure's limit",
  },
  upstream_circuit_open: {
    type: "gauge",
    labels: ["resource", "operation"],
    help: "1 while calls are held back because Azure has failed again and again",
  },
  redis_up: {
    type: "gauge",
    labels: [],
    help: "1 while Redis, with all primaries of its Cluster, answers; absent without Redis",
  },
  redis_away_seconds_total: {
    type: "counter",
    labels: [],
    help: "Time during which Redis, or a primary of its Cluster, did not answer",
  },
  redis_call_duration_seconds: {
    type: "histogram",
    labels: ["script"],
    help: "Duration of calls of scripts in Redis, failed ones included; reads that are sent together are one call",
    buckets: redisBuckets,
  },
  dependency_failures_total: {
    type: "counter",
    labels: ["dependency"],
    help: "Times that a part which the gateway can do without for a while could not be asked",
  },
  files_rejected_total: {
    type: "counter",
    labels: ["file"],
    help: "Times that a watched file was wrong when it was read again; what was read before stays in force",
  },
  internal_errors_total: {
    type: "counter",
    labels: [],
    help: "Faults of the gateway itself, each with a line in the log",
  },
  build_info: {
    type: "gauge",
    labels: ["version", "node"],
    help: "1, with the versions of the gateway and of Node.js",
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** A metric's name without its prefix. */
type MetricName = keyof typeof metricDefinitions;

/** The names of metrics of one type. */
export type MetricOf<T extends MetricDefinition["type"]> = {
  [Name in MetricName]: (typeof metricDefinitions)[Name]["type"] extends T ? Name : never;
}[MetricName];
