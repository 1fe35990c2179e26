/** The ioredis client for an address, with the options that an outage asks for. The only importer of ioredis. */
import calculateSlot from "cluster-key-slot";
import { Cluster, Redis, type RedisOptions as ClientOptions } from "ioredis";
import type { Pulsing } from "./heartbeat";
import type { RedisAddress } from "./redis-address";

/**
 * When a command goes out: with the others of its turn of the event loop, after the ones under way; or at once, which
 * is a tenth of a millisecond sooner, and dearer for those that come by the dozen.
 */
export type Sent = "together" | "atOnce";

/** Runs one script on one key. Answers are Buffers, numbers, null, or arrays of these. */
export type RedisScript = (key: string, ...args: (string | number | Buffer)[]) => Promise<unknown>;

/** Runs one script on several keys, of which each has one argument. The answer has a value for each. */
type RedisBatchScript = (keys: readonly string[], args: readonly string[]) => Promise<unknown[]>;

/** What the gateway needs of a client, whatever Redis it speaks to. */
export interface RedisClient {
  /** Resolves when commands can be sent; rejects when that is not so now. */
  connect(): Promise<void>;
  /** Makes a Lua script callable; it is sent once per connection and called by its hash from then on. */
  script(name: string, lua: string, sent: Sent): RedisScript;
  /** The same for a script that takes any number of keys; undefined where keys may be on different servers. */
  batchScript(name: string, lua: string): RedisBatchScript | undefined;
  /** The primaries that are known now. */
  primaries(): readonly (Pulsing & { info(section: string): Promise<string> })[];
  /** The id of the primary that `key` belongs to. */
  primaryOf(key: string): string | undefined;
  /** Listens to a channel on a connection of its own, which comes back by itself. */
  listen(channel: string, listener: Listener): Listening;
  /** Calls `listener` with every error of a connection. */
  onError(listener: (error: unknown) => void): void;
  disconnect(): void;
}

/** Is told what happens on a channel. */
interface Listener {
  /** Now it listens; again whenever the connection is back. */
  onListening(): void;
  onText(text: string): void;
  /** The channel cannot be had. Errors of the connection itself are those of the other one, too. */
  onError(error: unknown): void;
}

/** Listens to a channel. */
export interface Listening {
  /** Makes a new connection: nothing tells one to a frozen Redis from one on which nothing is said. */
  renew(): void;
  close(): void;
}

/** How patient a client is. */
export interface ClientPatience {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly sentinelPassword: string | undefined;
}

/** A script that any Redis which can store runs, and no other does. */
const probe = "#!lua\nreturn 1";

/** A client that is not connected yet. */
export function createRedisClient(address: RedisAddress, patience: ClientPatience): RedisClient {
  return address.kind === "cluster" ? clusterClient(address, patience) : singleClient(address, patience);
}

function commonOptions(address: RedisAddress, patience: ClientPatience) {
  return {
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: {} } : {}),
    connectTimeout: patience.connectTimeoutMs,
    // The connection's own timeout decides; this one ends what hangs while a connection is being made.
    commandTimeout: patience.commandTimeoutMs + 500,
    disconnectTimeout: 250,
    // A command that waits for a lost Redis to return would outlive its request, and run when nobody expects it.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  } satisfies ClientOptions;
}

const retryDelay = (attempt: number) => Math.min(50 * attempt, 500);

function singleClient(address: RedisAddress, patience: ClientPatience): RedisClient {
  const atOnce: string[] = [];
  const options = {
    ...commonOptions(address, patience),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    autoPipeliningIgnoredCommands: atOnce,
    retryStrategy: retryDelay,
    db: address.database,
    ...(address.kind === "sentinel" ? throughSentinels(address, patience) : address.endpoints[0]),
  } satisfies ClientOptions;
  const redis = new Redis(options);
  const primary = pulsing("primary", redis, () => {
    // One that is being made looks the primary up anyway, and must not be disturbed in it.
    if (redis.status === "ready") redis.disconnect(true);
  });
  return {
    connect: () => redis.connect(),
    script: (name, lua, sent) => {
      if (sent === "atOnce") atOnce.push(name);
      return define(redis, name, lua);
    },
    batchScript: (name, lua) => {
      // What makes a pipeline of its own gains nothing from waiting for another.
      atOnce.push(name);
      const run = define(redis, name, lua, null);
      return (keys, args) => run(keys.length, ...keys, ...args) as Promise<unknown[]>;
    },
    primaries: () => [primary],
    primaryOf: () => primary.id,
    listen: (channel, listener) => listening(() => new Redis(options), channel, listener),
    onError: (listener) => void redis.on("error", listener),
    disconnect: () => {
      redis.disconnect();
    },
  };
}

function throughSentinels(address: RedisAddress, { commandTimeoutMs, sentinelPassword }: ClientPatience) {
  return {
    sentinels: [...address.endpoints],
    name: address.primaryName,
    sentinelCommandTimeout: commandTimeoutMs + 250,
    sentinelRetryStrategy: retryDelay,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

function clusterClient(address: RedisAddress, patience: ClientPatience): RedisClient {
  const make = () =>
    new Cluster([...address.endpoints], {
      lazyConnect: true,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: 1_000,
      slotsRefreshInterval: 2_000,
      maxRedirections: 4,
      redisOptions: commonOptions(address, patience),
      // Certificates are for the nodes' names, which a resolved address would replace.
      ...(address.tls ? { dnsLookup: unresolved } : {}),
    });
  const cluster = make();
  const nodeId = ({ host, port }: { host?: string | undefined; port?: number | undefined }) =>
    `${host ?? ""}:${port ?? 0}`;
  return {
    connect: () => cluster.connect(),
    script: (name, lua) => define(cluster, name, lua),
    batchScript: () => undefined,
    primaries: () =>
      cluster.nodes("master").map((node) =>
        pulsing(nodeId(node.options), node, () => {
          node.disconnect();
          cluster.refreshSlotsCache();
        }),
      ),
    primaryOf: (key) => cluster.slots[calculateSlot(key)]?.[0],
    listen: (channel, listener) => listening(make, channel, listener),
    onError: (listener) => void cluster.on("error", listener).on("node error", listener),
    disconnect: () => {
      cluster.disconnect();
    },
  };
}

function unresolved(host: string, callback: (error: null, address: string) => void): void {
  callback(null, host);
}

function pulsing(id: string, node: Redis, drop: () => void) {
  return { id, drop, probe: () => node.eval(probe, 0), info: (section: string) => node.info(section) };
}

function listening(make: () => Redis | Cluster, channel: string, listener: Listener): Listening {
  const open = () => {
    const client: Redis | Cluster = make();
    const subscribe = () => {
      client.subscribe(channel).then(
        () => {
          listener.onListening();
        },
        (error: unknown) => {
          listener.onError(error);
        },
      );
    };
    client.on("ready", subscribe);
    client.on("message", (_channel: string, text: string) => {
      listener.onText(text);
    });
    // The gateway's other connection tells of the same.
    client.on("error", () => undefined);
    client.connect().catch(() => undefined);
    return client;
  };
  let client = open();
  return {
    renew: () => {
      client.disconnect();
      client = open();
    },
    close: () => {
      client.disconnect();
    },
  };
}

type Run = (...args: (string | number | Buffer)[]) => Promise<unknown>;

/** Without a number of keys, the first argument is that. */
function define(client: Redis | Cluster, name: string, lua: string, numberOfKeys: number | null = 1): Run {
  client.defineCommand(name, { lua, ...(numberOfKeys === null ? {} : { numberOfKeys }) });
  const call = `${name}Buffer`;
  const run = (client as unknown as Record<string, Run | undefined>)[call];
  if (!run) throw new Error(`ioredis did not define ${call}.`);
  return (...args) => run.call(client, ...args);
}
