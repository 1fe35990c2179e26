/** Looks at a Redis as the gateway would use it, and leaves nothing behind: what it is, how it is set, what it allows. */
import { createHash, randomUUID } from "node:crypto";
import type { TLSSocket } from "node:tls";
import calculateSlot from "cluster-key-slot";
import { Redis } from "ioredis";
import type { Clock } from "../clock";
import { reasonOf } from "./reason-of";
import type { Endpoint, RedisAddress } from "./redis-address";

/** How to look. */
export interface RedisProbeOptions {
  readonly address: RedisAddress;
  readonly sentinelPassword: string | undefined;
  readonly keyPrefix: string;
  /** The longest that a connection or a command may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** What was seen of a primary. What its user may not ask for is undefined. */
export interface RedisNode {
  /** `host:port`. */
  readonly node: string;
  /** The lines of INFO; undefined when it is forbidden. */
  readonly info: ReadonlyMap<string, string> | undefined;
  /** Settings that CONFIG GET tells, of those that matter. */
  readonly settings: ReadonlyMap<string, string> | undefined;
  /** The median of some round trips, in milliseconds. */
  readonly roundTripMs: number | undefined;
  /** How far its clock is ahead of this machine's, in milliseconds. */
  readonly skewMs: number | undefined;
  /** What the gateway needs and its user may not: commands, `~` the prefix of keys, `&` the channel. */
  readonly missingRights: readonly string[];
  /** Why no script runs for another reason: `READONLY`, `NOREPLICAS`, `OOM`. */
  readonly refusal: string | undefined;
  /** When its certificate ends, in milliseconds since the epoch; undefined without TLS. */
  readonly certificateEnds: number | undefined;
}

/** What was seen of a sentinel. */
interface RedisSentinelNode {
  readonly node: string;
  /** Why it could not be asked. */
  readonly reason: string | undefined;
  readonly primary: Endpoint | undefined;
  /** `down-after-milliseconds`. */
  readonly downAfterMs: number | undefined;
  /** Whether enough sentinels are there to agree on a failover. */
  readonly quorum: boolean | undefined;
}

/** What was seen. */
export interface RedisSight {
  readonly nodes: readonly RedisNode[];
  /** Nodes that could not be asked, with a short code. */
  readonly failures: readonly { readonly node: string; readonly reason: string }[];
  readonly sentinels: readonly RedisSentinelNode[];
  /** The lines of CLUSTER INFO; undefined where there is no Cluster. */
  readonly cluster: ReadonlyMap<string, string> | undefined;
}

/** Every command that the gateway's scripts call; a test holds the list to them. */
export const scriptCommands = {
  /** Those that change nothing where there is no key. */
  harmless: [
    "DEL",
    "TIME",
    "INFO",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "PTTL",
    "HDEL",
    "LINDEX",
    "LLEN",
    "LTRIM",
    "ZCARD",
    "ZREMRANGEBYSCORE",
    "PEXPIRE",
    "PUBLISH",
  ],
  /** Those that make a key, which is deleted at once. */
  making: ["HSET", "INCRBY", "RPUSH", "ZADD"],
} as const;

/** Answers `{NAME, error, NAME, error …}` of what was refused. Makes keys only where it may delete them. */
const rightsScript = `#!lua flags=allow-oom
local key, refused = KEYS[1], {}
local function try(name, ...)
  local answer = redis.pcall(name, ...)
  if type(answer) == 'table' and answer.err then
    refused[#refused + 1] = name
    refused[#refused + 1] = answer.err
    return false
  end
  return true
end
local mayDelete = try('DEL', key)
try('TIME')
try('INFO', 'replication')
for _, name in ipairs({'HGETALL', 'HKEYS', 'HLEN', 'PTTL', 'LLEN', 'ZCARD'}) do try(name, key) end
try('HGET', key, 'f')
try('HDEL', key, 'f')
try('LINDEX', key, 0)
try('LTRIM', key, 0, 1)
try('ZREMRANGEBYSCORE', key, 0, 0)
try('PEXPIRE', key, 1)
try('PUBLISH', ARGV[1], '')
if mayDelete then
  try('HSET', key, 'f', '1') redis.pcall('DEL', key)
  try('INCRBY', key, 1) redis.pcall('DEL', key)
  try('RPUSH', key, '1') redis.pcall('DEL', key)
  try('ZADD', key, 1, '1') redis.pcall('DEL', key)
end
return refused`;

/** Looks. Rejects only when nothing at all could be asked. */
export async function probeRedis(options: RedisProbeOptions, clock: Clock): Promise<RedisSight> {
  const { address } = options;
  if (address.kind === "sentinel") return throughSentinels(options, clock);
  if (address.kind === "cluster") return throughCluster(options, clock);
  return { ...(await nodesAt(address.endpoints, options, clock)), sentinels: [], cluster: undefined };
}

async function throughSentinels(options: RedisProbeOptions, clock: Clock): Promise<RedisSight> {
  const { address } = options;
  const sentinels = await Promise.all(address.endpoints.map((endpoint) => sentinelAt(endpoint, options)));
  const primary = sentinels.find((each) => each.primary !== undefined)?.primary;
  const seen = primary ? await nodesAt([primary], options, clock) : { nodes: [], failures: [] };
  return { ...seen, sentinels, cluster: undefined };
}

async function sentinelAt(endpoint: Endpoint, options: RedisProbeOptions): Promise<RedisSentinelNode> {
  const { sentinelPassword, address } = options;
  const node = textOf(endpoint);
  const name = address.primaryName;
  const login = sentinelPassword === undefined ? {} : { password: sentinelPassword };
  const nothing = { primary: undefined, downAfterMs: undefined, quorum: undefined };
  try {
    return await withClient(endpoint, { ...options, login, database: 0 }, async (redis) => {
      const found = (await redis.call("SENTINEL", "get-master-addr-by-name", name)) as
        [string, string] | null;
      const fields = pairs(
        (await unlessRefused(redis.call("SENTINEL", "MASTER", name))) as string[] | undefined,
      );
      const quorum = await redis.call("SENTINEL", "CKQUORUM", name).then(
        () => true,
        (error: unknown) => (/^-?NOQUORUM/.test(messageOf(error)) ? false : undefined),
      );
      return {
        node,
        reason: found ? undefined : "NO_PRIMARY",
        primary: found ? { host: found[0], port: Number(found[1]) } : undefined,
        downAfterMs: numberOf(fields?.get("down-after-milliseconds")),
        quorum,
      };
    });
  } catch (error) {
    return { node, reason: reasonOf(error), ...nothing };
  }
}

async function throughCluster(options: RedisProbeOptions, clock: Clock): Promise<RedisSight> {
  const failures: { node: string; reason: string }[] = [];
  for (const endpoint of options.address.endpoints) {
    try {
      const { cluster, shards } = await withClient(endpoint, own(options), async (redis) => ({
        cluster: lines(String(await redis.call("CLUSTER", "INFO"))),
        shards: (await redis.call("CLUSTER", "SLOTS")) as [number, number, [string, number]][],
      }));
      const primaries = new Map(
        shards.map(([from, to, [host, port]]) => [
          `${host}:${port}`,
          { host: host || endpoint.host, port, from, to },
        ]),
      );
      const seen = await nodesAt([...primaries.values()], options, clock);
      return { ...seen, failures: [...failures, ...seen.failures], sentinels: [], cluster };
    } catch (error) {
      failures.push({ node: textOf(endpoint), reason: reasonOf(error) });
    }
  }
  return { nodes: [], failures, sentinels: [], cluster: undefined };
}

interface Slots {
  readonly from?: number;
  readonly to?: number;
}

async function nodesAt(endpoints: readonly (Endpoint & Slots)[], options: RedisProbeOptions, clock: Clock) {
  const seen = await Promise.all(
    endpoints.map((endpoint) =>
      withClient(endpoint, own(options), (redis) => look(redis, endpoint, options, clock)).catch(
        (error: unknown) => ({ node: textOf(endpoint), reason: reasonOf(error) }),
      ),
    ),
  );
  return {
    nodes: seen.filter((each): each is RedisNode => !("reason" in each)),
    failures: seen.filter((each) => "reason" in each),
  };
}

async function look(
  redis: Redis,
  endpoint: Endpoint & Slots,
  options: RedisProbeOptions,
  clock: Clock,
): Promise<RedisNode> {
  const info = await unlessRefused<string>(redis.info());
  const wanted = ["min-replicas-to-write", "min-replicas-max-lag", "cluster-node-timeout", "save"];
  const settings = pairs(await unlessRefused(redis.call("CONFIG", "GET", ...wanted) as Promise<string[]>));
  const times = await unlessRefused(measured(redis, clock));
  const { missing, refusal } = await rights(redis, endpoint, options);
  const stream = redis.stream as Partial<TLSSocket>;
  const certificate = options.address.tls ? stream.getPeerCertificate?.() : undefined;
  return {
    node: textOf(endpoint),
    info: info === undefined ? undefined : lines(info),
    settings,
    roundTripMs: times?.roundTripMs,
    skewMs: times?.skewMs,
    missingRights: missing,
    refusal,
    certificateEnds: certificate?.valid_to === undefined ? undefined : Date.parse(certificate.valid_to),
  };
}

async function measured(redis: Redis, clock: Clock) {
  const samples: { roundTripMs: number; skewMs: number }[] = [];
  for (let count = 0; count < 5; count++) {
    const [sentAt, began] = [clock.now(), performance.now()];
    const [seconds, micros] = await redis.time();
    const roundTripMs = performance.now() - began;
    samples.push({
      roundTripMs,
      skewMs: Number(seconds) * 1000 + Number(micros) / 1000 - sentAt - roundTripMs / 2,
    });
  }
  samples.sort((one, other) => one.roundTripMs - other.roundTripMs);
  return samples[2];
}

async function rights(redis: Redis, slots: Slots, options: RedisProbeOptions) {
  const missing: string[] = [];
  let refusal: string | undefined;
  const judge = (right: string, error: unknown) => {
    const text = messageOf(error);
    if (!isDenied(text)) return text;
    if (!missing.includes(right)) missing.push(right);
    return undefined;
  };
  const key = keyIn(slots, options.keyPrefix);
  const channel = `${options.keyPrefix}doctor`;
  await redis
    .call("EVALSHA", createHash("sha1").update(rightsScript).digest("hex"), "1", key, channel)
    .catch((error: unknown) => judge("evalsha", error));
  try {
    const refused = (await redis.eval(rightsScript, 1, key, channel)) as string[];
    for (let at = 0; at < refused.length; at += 2) {
      const [name = "", text = ""] = refused.slice(at, at + 2);
      const right = /channel/i.test(text) ? "&" : / keys?\b/i.test(text) ? "~" : name.toLowerCase();
      const other = judge(right, new Error(text));
      refusal ??= other === undefined ? undefined : reasonOf(new Error(other));
    }
  } catch (error) {
    const other = judge(/ keys?\b/i.test(messageOf(error)) ? "~" : "eval", error);
    refusal = other === undefined ? undefined : reasonOf(error);
  }
  const plain: [string, string[]][] = [
    ["hello", ["HELLO"]],
    ["client|setname", ["CLIENT", "SETNAME", "acs-token-gateway"]],
  ];
  if (options.address.kind === "cluster") {
    plain.push(
      ["readonly", ["READONLY"]],
      ["cluster|slots", ["CLUSTER", "SLOTS"]],
      ["cluster|info", ["CLUSTER", "INFO"]],
    );
  }
  for (const [right, [command = "", ...args]] of plain) {
    await redis.call(command, ...args).catch((error: unknown) => judge(right, error));
  }
  // Last: the connection is good for nothing else after it.
  await redis
    .subscribe(channel)
    .catch((error: unknown) => judge(/channel/i.test(messageOf(error)) ? "&" : "subscribe", error));
  return { missing, refusal };
}

/** A key that nobody has, in one of the slots. */
function keyIn({ from = 0, to = 16_383 }: Slots, prefix: string): string {
  for (;;) {
    const key = `${prefix}doctor:${randomUUID()}`;
    const slot = calculateSlot(key);
    if (slot >= from && slot <= to) return key;
  }
}

interface ClientOptions {
  readonly address: RedisAddress;
  readonly timeoutMs: number;
  readonly login: { readonly username?: string; readonly password?: string };
  readonly database: number;
}

function own(options: RedisProbeOptions): ClientOptions {
  const { username, password, database } = options.address;
  const login = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  return { ...options, login, database };
}

/** Runs `use` on a connection of its own, which does not come back. */
async function withClient<T>(
  { host, port }: Endpoint,
  { address, timeoutMs, login, database }: ClientOptions,
  use: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    host,
    port,
    ...login,
    db: database,
    ...(address.tls ? { tls: {} } : {}),
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    disconnectTimeout: 250,
  });
  let first: unknown;
  redis.on("error", (error) => (first ??= error));
  try {
    await redis.connect();
    // Says why it cannot be used before anything is asked of it; the gateway's user may ask for this in any case.
    await redis.time().catch((error: unknown) => {
      // A sentinel does not know it.
      if (!isDenied(messageOf(error)) && !messageOf(error).startsWith("ERR unknown command")) throw error;
    });
    if (first !== undefined) throw new FirstError();
    return await use(redis);
  } catch (error) {
    throw first ?? error;
  } finally {
    redis.disconnect();
  }
}

class FirstError extends Error {}

/** The answer; undefined when the user may not ask, or this Redis does not know the question. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const text = messageOf(error);
    if (isDenied(text) || /^ERR\b/.test(text)) return undefined;
    throw error;
  }
}

function isDenied(text: string): boolean {
  // Within a script Redis says it in words, and in others from 7.2 on.
  return /^-?NOPERM|ACL failure|has no permissions|executing the script can't/.test(text);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}

function lines(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const [, name, value] = /^([^#:][^:]*):(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
}

function pairs(words: string[] | undefined): ReadonlyMap<string, string> | undefined {
  if (!Array.isArray(words)) return undefined;
  const found = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) found.set(String(words[at]), String(words[at + 1]));
  return found;
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function textOf({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
