/** What of a gateway's figures asks for an operator's attention, in words. */
import { seriesIn, sumOf, type Reading } from "./readings";
import type { Concern, ReplicaStatus, Status } from "./status";

/** Left of a limit of Azure's, from which on it is told of. */
const scarce = 0.1;
/** The event loop's share of the time: waiting grows from the first, and from the second nothing is in time. */
const busy = 0.75;
const overloaded = 0.95;
/** Failures among operations that are more than bad luck. */
const manyFailures = 0.01;

type Told = Omit<Status, "concerns">;

/** What is known beside what the page is told. */
export interface Circumstances {
  /** How many gateways are said to share the resource. */
  readonly replicas: number;
  /** Identities of whose revocation this gateway could not yet tell the cache. */
  readonly owed: number;
  /** What was counted in the last minutes. */
  readonly counted: Reading;
}

/** The worst first. */
export function concernsOf(told: Told, { replicas, owed, counted }: Circumstances): Concern[] {
  const concerns = [
    ...ofRedis(told.redis),
    ...ofRevocations(
      owed,
      sumOf(counted, "revocations_total", ({ confirmed }) => confirmed === "false"),
    ),
    ...ofAzure(told.window.azure),
    ...ofOperations(told.window),
    ...ofParts(counted),
    ...ofReplicas(told, replicas),
  ];
  return [
    ...concerns.filter(({ level }) => level === "trouble"),
    ...concerns.filter(({ level }) => level === "notice"),
  ];
}

function ofRedis(redis: Told["redis"]): Concern[] {
  const because = typeof redis?.reason !== "string" ? "" : ` (${redis.reason})`;
  switch (redis?.status) {
    case "away":
      return [
        trouble(
          `Redis is away${because}: every token comes straight from Azure, within this gateway's share of the limit, and revocations stay unconfirmed.`,
        ),
      ];
    case "partly":
      return [trouble(`A part of the Redis Cluster is away${because}: its tokens come straight from Azure.`)];
    case "full":
      return [trouble("Redis is full: no more tokens are stored.")];
    default:
      return [];
  }
}

function ofRevocations(owed: number, unconfirmed: number): Concern[] {
  if (owed > 0) {
    const what = owed === 1 ? "1 identity" : `${owed} identities`;
    return [
      trouble(
        `Revocations of ${what} are unconfirmed: Azure has revoked, the cache could not be told. This gateway finishes them when Redis is back.`,
      ),
    ];
  }
  if (unconfirmed === 0) return [];
  const what = unconfirmed === 1 ? "1 revocation was" : `${unconfirmed} revocations were`;
  return [notice(`${what} answered unconfirmed in the last minutes; the cache has been told since.`)];
}

function ofAzure(azure: Told["window"]["azure"]): Concern[] {
  return azure.flatMap(({ resource, operation, circuitOpen, limit, remaining, queued }) => {
    const name = resource === "" ? operation : `${operation} of ${resource}`;
    const concerns: Concern[] = [];
    if (circuitOpen) concerns.push(trouble(`${name} is not called: the circuit to Azure is open.`));
    if (queued > 0)
      concerns.push(
        notice(`${queued} ${queued === 1 ? "call waits" : "calls wait"} for Azure's limit of ${name}.`),
      );
    else if (limit !== null && remaining !== null && remaining < limit * scarce) {
      concerns.push(
        notice(
          `Azure's limit of ${name} is nearly reached: ${Math.floor(remaining)} of ${limit} calls are left.`,
        ),
      );
    }
    return concerns;
  });
}

function ofOperations({ operations }: Told["window"]): Concern[] {
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const count = sum(operations.map((operation) => operation.count));
  const failed = sum(operations.map((operation) => operation.failed));
  if (failed === 0) return [];
  const text = `${failed} of ${count} operations of the last minutes failed by no fault of their callers.`;
  return [failed > count * manyFailures ? trouble(text) : notice(text)];
}

const dependencies: Readonly<Record<string, string>> = {
  directory: "The directory of users' identities could not be asked",
  issuer: "An issuer of access tokens did not tell its keys",
};

const files: Readonly<Record<string, string>> = {
  encryption_keys:
    "TOKEN_ENCRYPTION_KEYS_FILE was wrong when it was read again; the keys of before stay in force.",
  api_keys: "API_KEYS_FILE was wrong when it was read again; the keys of before stay in force.",
  tls: "The TLS certificate or its key was wrong when it was read again; those of before stay in force.",
};

/** Of what else the gateway needs. Redis speaks for itself. */
function ofParts(counted: Reading): Concern[] {
  const concerns: Concern[] = [];
  for (const { labels, value } of seriesIn(counted, "dependency_failures_total")) {
    const text = dependencies[labels.dependency ?? ""];
    if (value > 0 && text !== undefined)
      concerns.push(trouble(`${text} (${value} times in the last minutes).`));
  }
  for (const { labels, value } of seriesIn(counted, "files_rejected_total")) {
    const text = files[labels.file ?? ""];
    if (value > 0 && text !== undefined) concerns.push(trouble(text));
  }
  const unopened = sumOf(counted, "values_not_opened_total");
  if (unopened > 0) {
    concerns.push(
      notice(`${unopened} cached values did not open: have all gateways the same TOKEN_ENCRYPTION_KEYS?`),
    );
  }
  const unknown = sumOf(counted, "create_outcomes_unknown_total");
  if (unknown > 0)
    concerns.push(
      notice(`The outcome of ${unknown} creates is unknown: identities that nobody uses may be left at ACS.`),
    );
  return concerns;
}

function ofReplicas({ replicas: { list }, redis }: Told, expected: number): Concern[] {
  const concerns: Concern[] = [];
  for (const replica of list) {
    const { isSelf, state, figures } = replica;
    if (state === "draining") {
      concerns.push(notice(`${nameOf(replica)} is draining: it accepts nothing more, and ends.`));
    }
    if (!isSelf && figures && figures.failures > figures.operations * manyFailures) {
      concerns.push(
        trouble(
          `${nameOf(replica)} fails ${figures.failures.toFixed(1)} operations a second by no fault of their callers.`,
        ),
      );
    }
  }
  concerns.push(...ofBusyness(list));
  const versions = new Set(list.map(({ version }) => version));
  if (versions.size > 1)
    concerns.push(notice(`The gateways are of ${versions.size} versions: ${[...versions].join(", ")}.`));
  if (redis && list.length > expected) {
    concerns.push(
      notice(
        `${list.length} gateways are seen, but REPLICAS says ${expected}: while Redis is away they could exceed Azure's limit together.`,
      ),
    );
  }
  return concerns;
}

function ofBusyness(list: readonly ReplicaStatus[]): Concern[] {
  const shares = list.map((replica) => ({ replica, share: replica.figures?.busy ?? 0 }));
  const taxed = shares.filter(({ share }) => share >= busy);
  const [first] = taxed;
  if (!first) return [];
  const most = Math.max(...taxed.map(({ share }) => share));
  const percent = `${Math.round(most * 100)}\u00a0%`;
  const text =
    taxed.length === 1
      ? `${nameOf(first.replica)} is busy for ${percent} of the time.`
      : `${taxed.length} of ${list.length} gateways are busy for ${percent} of the time, or nearly so.`;
  return [most >= overloaded ? trouble(text) : notice(text)];
}

function nameOf({ isSelf, id, host }: ReplicaStatus): string {
  return isSelf ? "This gateway" : `Gateway ${id} on ${host}`;
}

function trouble(text: string): Concern {
  return { level: "trouble", text };
}

function notice(text: string): Concern {
  return { level: "notice", text };
}
