/** What of a gateway's figures asks for an operator's attention, in words. */
import type { Concern, Status } from "./status";

/** Left of a limit of Azure's, from which on it is told of. */
const scarce = 0.1;
/** The event loop's share of the time: waiting grows from the first, and from the second nothing is in time. */
const busy = 0.75;
const overloaded = 0.95;
/** Failures among operations that are more than bad luck. */
const manyFailures = 0.01;

type Told = Omit<Status, "concerns">;

/**
 * The worst first.
 * @param replicas how many gateways are said to share the resource.
 * @param unconfirmed how many revocations of the last minutes the cache could not be told of.
 */
export function concernsOf(told: Told, replicas: number, unconfirmed: number): Concern[] {
  const concerns = [
    ...ofRedis(told.redis),
    ...ofRevocations(unconfirmed),
    ...ofAzure(told.window.azure),
    ...ofOperations(told.window),
    ...ofReplicas(told, replicas),
  ];
  return [
    ...concerns.filter(({ level }) => level === "trouble"),
    ...concerns.filter(({ level }) => level === "notice"),
  ];
}

function ofRedis(redis: Told["redis"]): Concern[] {
  const because = redis?.reason == null ? "" : ` (${redis.reason})`;
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

function ofRevocations(unconfirmed: number): Concern[] {
  if (unconfirmed === 0) return [];
  const what = unconfirmed === 1 ? "1 revocation is" : `${unconfirmed} revocations are`;
  return [
    trouble(
      `${what} unconfirmed: Azure has revoked, the cache could not be told. This gateway finishes it when Redis is back; the callers were asked to repeat it.`,
    ),
  ];
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

function ofReplicas({ replicas: { list }, redis }: Told, expected: number): Concern[] {
  const concerns: Concern[] = [];
  for (const { isSelf, host, id, state, figures } of list) {
    const name = isSelf ? "This gateway" : `Gateway ${id} on ${host}`;
    if (state === "draining")
      concerns.push(notice(`${name} is draining: it accepts nothing more, and ends.`));
    if (!isSelf && figures && figures.failures > figures.operations * manyFailures) {
      concerns.push(
        trouble(
          `${name} fails ${figures.failures.toFixed(1)} operations a second by no fault of their callers.`,
        ),
      );
    }
    const share = figures?.busy ?? 0;
    const text = `${name} is busy for ${Math.round(share * 100)} % of the time.`;
    if (share >= overloaded) concerns.push(trouble(text));
    else if (share >= busy) concerns.push(notice(text));
  }
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

function trouble(text: string): Concern {
  return { level: "trouble", text };
}

function notice(text: string): Concern {
  return { level: "notice", text };
}
