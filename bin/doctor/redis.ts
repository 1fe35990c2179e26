/** Redis: whether it is there, is one that keeps the gateway's promises, and lets its user do what it needs. */
import type { Config } from "../../src/config";
import { systemClock } from "../../src/services/clock";
import { probeRedis, type RedisNode, type RedisSight } from "../../src/services/redis/redis-probe";
import { connectionTrouble, duration, Findings, judgeClock, type Check } from "./finding";

type RedisConfig = NonNullable<Config["redis"]>;

/** The Redis of REDIS_URL; no check when there is none. */
export function redisChecks({ redis }: Config, production: boolean, timeoutMs: number): Check[] {
  if (!redis) return [];
  const run = async () => {
    const findings = new Findings("redis");
    const options = { ...redis, timeoutMs: timeoutMs * 0.4 };
    judge(findings, await probeRedis(options, systemClock), redis, production);
    return findings.all;
  };
  return [{ part: "redis", run }];
}

function judge(findings: Findings, sight: RedisSight, redis: RedisConfig, production: boolean): void {
  for (const { node, reason } of sight.failures) {
    findings.problem("reachable", ...trouble(node, reason));
  }
  judgeSentinels(findings, sight, redis);
  judgeCluster(findings, sight);
  if (production && !redis.address.tls && !redis.address.endpoints.every(({ host }) => isHere(host))) {
    findings.warning("tls", "Passwords and what is cached pass to Redis without TLS.", "Use a rediss… URL.");
  }
  for (const node of sight.nodes) judgeNode(findings, node, redis);
}

function trouble(node: string, reason: string): readonly [string, string] {
  const where = `Redis at ${node}`;
  switch (reason) {
    case "WRONGPASS":
    case "NOAUTH":
      return [
        `${where} does not take the user and password (${reason}).`,
        "Correct them in REDIS_URL, percent-encoded.",
      ];
    case "NOPERM":
      return [`${where} lets the user do nothing (${reason}).`, "Give it the rights of docs/redis.md."];
    case "NOT_A_CLUSTER":
      return [`${where} is no Cluster.`, "Begin REDIS_URL with redis:// or rediss://."];
    case "LOADING":
      return [`${where} is loading its data.`, "Wait until it has."];
    default:
      return connectionTrouble(reason, where);
  }
}

function judgeSentinels(findings: Findings, { sentinels }: RedisSight, { address }: RedisConfig): void {
  for (const { node, reason } of sentinels) {
    if (reason === "NO_PRIMARY") {
      findings.problem(
        "sentinel",
        `The sentinel at ${node} knows no primary called ${address.primaryName}.`,
        "Correct the name after # in REDIS_URL.",
      );
    } else if (reason !== undefined) {
      const [seen, advice] = trouble(node, reason);
      const add = sentinels.some((other) => other.primary) ? "warning" : "problem";
      findings[add](
        "sentinel",
        seen.replace(/^(.*?)Redis at/, "$1The sentinel at"),
        `${advice} A password of the sentinels' own is REDIS_SENTINEL_PASSWORD.`,
      );
    }
  }
  const known = sentinels.filter(({ primary }) => primary);
  if (known.length === 0) return;
  if (new Set(known.map(({ primary }) => JSON.stringify(primary))).size > 1) {
    findings.problem(
      "sentinel",
      "The sentinels name different primaries.",
      "Wait for a failover to end; see their logs.",
    );
  }
  if (known.some(({ quorum }) => quorum === false)) {
    findings.problem("sentinel", "Too few sentinels are there to agree on a failover.", "Start the others.");
  } else findings.ok("sentinel", `${known.length} sentinels name the primary.`);
  const downAfterMs = Math.min(...known.map((each) => each.downAfterMs ?? Infinity));
  if (downAfterMs < 3_000) {
    findings.problem(
      "failover",
      `down-after-milliseconds is ${downAfterMs}, so another primary may be promoted while a gateway still trusts the old one.`,
      "Set it to 3000 or more.",
    );
  }
}

function judgeCluster(findings: Findings, { cluster, nodes }: RedisSight): void {
  if (!cluster) return;
  const state = cluster.get("cluster_state") ?? "unknown";
  const failed =
    Number(cluster.get("cluster_slots_fail") ?? 0) + Number(cluster.get("cluster_slots_pfail") ?? 0);
  if (state !== "ok" || failed > 0) {
    findings.problem(
      "cluster",
      `The Cluster's state is ${state}, and ${failed} slots have failed.`,
      "See CLUSTER NODES.",
    );
  } else findings.ok("cluster", `The Cluster is whole, with ${nodes.length} primaries.`);
  for (const { node, settings } of nodes) {
    const timeoutMs = Number(settings?.get("cluster-node-timeout") ?? NaN);
    if (timeoutMs < 3_000) {
      findings.problem(
        "failover",
        `cluster-node-timeout is ${timeoutMs} at ${node}, so another primary may be promoted while a gateway still trusts the old one.`,
        "Set it to 3000 or more.",
      );
    }
  }
}

function judgeNode(findings: Findings, seen: RedisNode, { address, commandTimeoutMs }: RedisConfig): void {
  const { node, info } = seen;
  findings.ok(
    "reachable",
    `Redis at ${node} answers${address.tls ? " over TLS" : ""}, and takes the credentials.`,
  );
  judgeRights(findings, seen);
  if (info) {
    judgeServer(findings, node, info);
    judgeMemory(findings, node, info);
    judgePersistence(findings, node, info);
    judgeFence(findings, seen, address.kind);
  } else {
    findings.warning(
      "info",
      `The user may not ask Redis at ${node} for INFO, so version, memory and replicas could not be looked at.`,
      "Give it +info, which the gateway's scripts need as well.",
    );
  }
  if (!seen.settings) {
    findings.ok(
      "settings",
      `The user may not ask Redis at ${node} for CONFIG, which it needs not: max lag and timeouts could not be looked at.`,
    );
  }
  const { roundTripMs, certificateEnds } = seen;
  if (roundTripMs !== undefined) {
    const text = `A round trip to Redis at ${node} takes ${roundTripMs.toFixed(1)} ms.`;
    if (roundTripMs * 4 > commandTimeoutMs) {
      findings.warning(
        "latency",
        `${text} REDIS_TIMEOUT_MS is ${commandTimeoutMs}.`,
        "Move it nearer, or raise REDIS_TIMEOUT_MS.",
      );
    } else if (roundTripMs > 10)
      findings.warning("latency", text, "Move it nearer: each cached token costs one.");
    else findings.ok("latency", text);
  }
  if (certificateEnds !== undefined) {
    const left = certificateEnds - systemClock.now();
    if (left < 14 * 86_400_000) {
      findings.warning(
        "tls",
        `The certificate of Redis at ${node} expires in ${duration(left)}.`,
        "Renew it.",
      );
    } else findings.ok("tls", `The certificate of Redis at ${node} is valid for ${duration(left)} more.`);
  }
  judgeClock(findings, {
    whose: `Redis at ${node}'s`,
    skewMs: seen.skewMs,
    warnMs: 60_000,
    why: "the cache does not mind, but one of them is wrong, and the log and Azure go by this machine's",
  });
}

/** Why a script is refused that the user may run, and what to do. */
const refusals: Readonly<Record<string, readonly [why: string, advice: string]>> = {
  READONLY: [
    "it is a replica",
    "Name the primary in REDIS_URL, or use redis-sentinel:// or redis-cluster://.",
  ],
  NOREPLICAS: ["it has fewer good replicas than min-replicas-to-write", "Bring its replicas back."],
  MISCONF: ["it cannot save to disk", "Mend its disk, or turn persistence off: the gateway needs none."],
  OOM: ["it is full", "Raise maxmemory, or set an eviction policy."],
};

function judgeRights(findings: Findings, { node, missingRights, refusal }: RedisNode): void {
  if (missingRights.length > 0) {
    const names = missingRights.map((right) =>
      right === "~"
        ? "keys with REDIS_KEY_PREFIX"
        : right === "&"
          ? "the channel with REDIS_KEY_PREFIX"
          : `+${right}`,
    );
    // Without the channel gateways hear of revocations at themselves alone, and nothing else suffers.
    const little = missingRights.every((right) =>
      ["&", "publish", "subscribe", "hello", "client|setname"].includes(right),
    );
    const add = little ? "warning" : "problem";
    findings[add](
      "rights",
      `The user may not do at Redis at ${node} what the gateway needs: ${names.join(", ")}.`,
      "Give it the rights of docs/redis.md with ACL SETUSER, on every server.",
    );
  } else if (refusal === undefined)
    findings.ok("rights", `The user may do all that the gateway needs at Redis at ${node}.`);
  if (refusal === undefined) return;
  const [why, advice] = refusals[refusal] ?? ["it refuses scripts", "Use Redis 7 or newer, and see its log."];
  findings.problem(
    "scripts",
    `Redis at ${node} runs no script of the gateway's (${refusal}): ${why}.`,
    advice,
  );
}

function judgeServer(findings: Findings, node: string, info: ReadonlyMap<string, string>): void {
  const version = info.get("redis_version") ?? "unknown";
  if (Number.parseInt(version) < 7) {
    findings.problem(
      "version",
      `Redis at ${node} is ${version}.`,
      "The gateway's scripts need Redis 7 or newer.",
    );
  } else findings.ok("version", `Redis at ${node} is ${version}.`);
  if (!/^[0-9a-f]+$/.test(info.get("master_replid") ?? "")) {
    findings.problem(
      "incarnation",
      `Redis at ${node} hides master_replid, without which a failover could bring revoked tokens back.`,
      "Use one that tells it in INFO replication.",
    );
  }
}

/** Policies that take what is needed next, while there is what nobody needs. */
const careless = new Set(["allkeys-random", "volatile-random", "volatile-ttl"]);

function judgeMemory(findings: Findings, node: string, info: ReadonlyMap<string, string>): void {
  const policy = info.get("maxmemory_policy") ?? "unknown";
  const [max, used] = [Number(info.get("maxmemory") ?? 0), Number(info.get("used_memory") ?? 0)];
  if (careless.has(policy)) {
    findings.warning(
      "eviction",
      `A full Redis at ${node} would drop ${policy === "volatile-ttl" ? "first what ends soonest, such as leases and the counts of Azure's limit" : "anything at random"} (${policy}).`,
      "Set maxmemory-policy to noeviction, volatile-lru or allkeys-lru.",
    );
  } else findings.ok("eviction", `The eviction policy of Redis at ${node} is ${policy}.`);
  const share = max > 0 ? used / max : 0;
  const text = `Redis at ${node} uses ${megabytes(used)} of ${max > 0 ? megabytes(max) : "memory without a limit"}.`;
  if (share >= 1 && policy === "noeviction") {
    findings.problem(
      "memory",
      `${text} It stores no more tokens.`,
      "Raise maxmemory, or set an eviction policy.",
    );
  } else if (share > 0.9)
    findings.warning("memory", text, "Raise maxmemory: an identity takes about 1.2 kB.");
  else findings.ok("memory", text);
}

function judgePersistence(findings: Findings, node: string, info: ReadonlyMap<string, string>): void {
  const failed = info.get("rdb_last_bgsave_status") === "err" || info.get("aof_last_write_status") === "err";
  if (failed) {
    findings.problem(
      "persistence",
      `Redis at ${node} cannot save to disk, and may refuse to write for that.`,
      "Mend its disk, or turn persistence off: the gateway needs none.",
    );
  } else if (info.get("aof_enabled") === "1") {
    findings.ok("persistence", `Redis at ${node} appends to a file, which the gateway does not need.`);
  } else
    findings.ok(
      "persistence",
      `Redis at ${node} keeps no append-only file; the gateway needs no persistence.`,
    );
}

function judgeFence(findings: Findings, { node, info, settings }: RedisNode, kind: string): void {
  if (info?.get("role") !== "master") {
    findings.problem(
      "replicas",
      `Redis at ${node} is a replica.`,
      "Name the primary, or use redis-sentinel:// or redis-cluster://.",
    );
    return;
  }
  const replicas = Number(info.get("connected_slaves") ?? 0);
  const fenced = info.has("min_slaves_good_slaves");
  const least = settings?.get("min-replicas-to-write");
  if (kind === "standalone" && replicas === 0) {
    if (!fenced) findings.ok("replicas", `Redis at ${node} has no replicas, so nothing is to be fenced.`);
    return;
  }
  if (!fenced) {
    findings.warning(
      "fence",
      `Redis at ${node} goes on writing when it is cut off from its replicas, so it could answer from the past.`,
      "Set min-replicas-to-write to half of its replicas, rounded up, and min-replicas-max-lag below the failover time.",
    );
    return;
  }
  const good = info.get("min_slaves_good_slaves") ?? "0";
  findings.ok(
    "fence",
    `Redis at ${node} has ${good} good replicas${least === undefined ? "" : `, and stops with fewer than ${least}`}.`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(bytes < 10_485_760 ? 1 : 0)} MiB`;
}

function isHere(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
