/** The gateway's connection to Redis: short timeouts, never a wait for one that is away, back by itself. */
import { Batch, type AskMany } from "./batch";
import { Heartbeat, type HeartbeatEvents, type Vitals } from "./heartbeat";
import { impatience } from "./impatience";
import { reasonOf } from "./reason-of";
import { addressText, type RedisAddress } from "./redis-address";
import { scriptSpan } from "./redis-span";
import { traced, type Span } from "../telemetry/span";
import {
  createRedisClient,
  type Listening,
  type RedisClient,
  type RedisScript,
  type Sent,
} from "./redis-client";
import { StartupError } from "../../startup-error";

export type { RedisScript } from "./redis-client";

/** How to reach Redis. */
export interface RedisOptions {
  readonly address: RedisAddress;
  /** The password of the sentinels themselves, if they have one. */
  readonly sentinelPassword?: string | undefined;
  /** The longest a command may take, in milliseconds, before the request goes on without Redis. */
  readonly commandTimeoutMs: number;
  /** Starts every key. */
  readonly keyPrefix: string;
}

/** Takes the duration of each call. */
export interface CallDurations {
  observe(seconds: number): void;
}

/** What the connection tells. */
export interface RedisEvents extends HeartbeatEvents {
  readonly redisError: (reason: string) => void;
  /** Nothing keeps a primary that is cut off from its replicas from answering out of the past. */
  readonly redisUnfenced: (node: string) => void;
  /** Where the calls of a script are told. */
  readonly redisCalls?: (script: string) => CallDurations;
}

/** A script that is called together with others: a key and its argument, in the work of `span`. */
export type RedisBatchedScript = (key: string, arg: string, span?: Span) => Promise<unknown>;

/** A channel on which texts may get lost. */
export interface RedisChannel {
  /** Rejects when the text was not published. */
  publish(text: string): Promise<void>;
  /**
   * Calls `onText` with what is published from now on, and `onError` with a short code when that cannot be. Resolves
   * when it listens, and at the latest after the time that commands have.
   */
  listen(onText: (text: string) => void, onError: (reason: string) => void): Promise<void>;
  /** Listens on a new connection. */
  renew(): void;
}

/** Redis could not be reached, or is not one that the gateway can work with. The message is fit for the operator. */
export class RedisUnusable extends StartupError {
  override readonly name = "RedisUnusable";
}

/** The longest that the gateway waits for Redis when it starts, in milliseconds. */
const connectTotalMs = 5_000;
/** The longest that one connection may take to be made, in milliseconds. */
const connectMs = 1_000;
const heartbeatMs = 250;
/** Shorter than any sensible `down-after-milliseconds` or `cluster-node-timeout`; see docs/redis.md. */
const trustMs = 1_000;

/** An open connection that comes back by itself when Redis does. */
export class RedisConnection implements AsyncDisposable {
  private readonly scripts = new Map<string, RedisScript>();
  private readonly listeners: Listening[] = [];
  private asked = false;

  private constructor(
    private readonly client: RedisClient,
    private readonly heartbeat: Heartbeat,
    private readonly options: RedisOptions,
    private readonly events: Pick<RedisEvents, "redisCalls">,
  ) {}

  /**
   * Connects and checks that Redis can run the token scripts. Throws {@link RedisUnusable} when it is not there now;
   * once connected, an outage is an error of each command, not of the connection.
   */
  static async connect(options: RedisOptions, events: RedisEvents): Promise<RedisConnection> {
    const { address, commandTimeoutMs, sentinelPassword } = options;
    const patience = { connectTimeoutMs: connectMs, commandTimeoutMs, sentinelPassword };
    const client = createRedisClient(address, patience);
    let connected = false;
    let lastError: unknown;
    client.onError((error) => {
      lastError = error;
      // Before that, the error is thrown to whoever starts the gateway.
      if (connected) events.redisError(reasonOf(error));
    });
    const heartbeat = new Heartbeat(
      () => client.primaries(),
      {
        intervalMs: heartbeatMs,
        timeoutMs: Math.min(commandTimeoutMs, 500),
        trustMs: address.kind === "standalone" ? Infinity : trustMs,
        reasonOf,
      },
      events,
    );
    try {
      await within(connectTotalMs, client.connect());
      for (const primary of client.primaries()) checkServer(await primary.info("server"));
      for (const primary of client.primaries()) {
        const replication = await primary.info("replication");
        checkReplication(replication);
        const fenced = replication.includes("min_slaves_good_slaves:");
        if (address.kind !== "standalone" && !fenced) events.redisUnfenced(primary.id);
      }
      await heartbeat.start();
    } catch (error) {
      heartbeat[Symbol.dispose]();
      client.disconnect();
      if (error instanceof RedisUnusable) throw error;
      throw unreachable(address, reasonOf(lastError ?? error));
    }
    connected = true;
    const connection = new RedisConnection(client, heartbeat, options, events);
    heartbeat.onBack(() => {
      for (const listener of connection.listeners) listener.renew();
    });
    return connection;
  }

  /**
   * Makes a Lua script callable. A call rejects at once while Redis is known to be away, and after the command timeout
   * at the latest; the script may still run later then. All scripts must be made before the first is called: a
   * pipeline of ioredis that is open does not know one that is new, throws, and loses the answers that follow.
   */
  script(name: string, lua: string, sent: Sent = "together"): RedisScript {
    const known = this.scripts.get(name);
    if (known) return known;
    this.checkEarly(name);
    const run = this.client.script(name, lua, sent);
    const calls = this.events.redisCalls?.(name);
    const script: RedisScript = (key, ...args) => {
      const fullKey = this.options.keyPrefix + key;
      return this.ask(fullKey, () => run(fullKey, ...args), calls);
    };
    this.scripts.set(name, script);
    return script;
  }

  private checkEarly(name: string): void {
    if (this.asked) throw new Error(`The script ${name} is made after another was called.`);
  }

  private ask<T>(fullKey: string, question: () => Promise<T>, calls: CallDurations | undefined): Promise<T> {
    this.asked = true;
    const refusal = this.heartbeat.refusal(this.client.primaryOf(fullKey));
    if (refusal !== undefined) return Promise.reject(new RedisAway(refusal));
    return within(this.options.commandTimeoutMs, question(), calls);
  }

  /**
   * Makes a Lua script callable that takes any number of keys with an argument each, and answers with as many values.
   * Calls of one turn of the event loop are sent as one, where all keys are on one server.
   */
  batchedScript(name: string, lua: string): RedisBatchedScript {
    const run = this.client.batchScript(name, lua);
    const inTraces = scriptSpan(name);
    if (!run) {
      const single = this.script(name, lua);
      return async (key, arg, span) =>
        ((await traced(span, inTraces, () => single(key, arg), reasonOf)) as unknown[])[0];
    }
    const calls = this.events.redisCalls?.(name);
    const askMany: AskMany = (keys, args) => this.ask(keys[0] ?? "", () => run(keys, args), calls);
    const batch = new Batch(askMany, inTraces, reasonOf);
    return (key, arg, span) => batch.ask(this.options.keyPrefix + key, arg, span);
  }

  /** A pub/sub channel. To be made before the first script is called, as scripts are. */
  channel(name: string): RedisChannel {
    // As a script, it is answered, refused and timed out like everything else.
    const publish = this.script("acsPublish", "#!lua\nreturn redis.call('PUBLISH', ARGV[1], ARGV[2])");
    const fullName = this.options.keyPrefix + name;
    const listening: Listening[] = [];
    return {
      renew: () => {
        for (const each of listening) each.renew();
      },
      publish: async (text) => {
        await publish(name, fullName, text);
      },
      listen: (onText, onError) => {
        const listens = new Promise<void>((resolve) => {
          const refused = (error: unknown) => {
            onError(reasonOf(error));
            resolve();
          };
          const made = this.client.listen(fullName, { onListening: resolve, onText, onError: refused });
          listening.push(made);
          this.listeners.push(made);
        });
        const patienceMs = this.options.commandTimeoutMs + connectMs;
        return within(patienceMs, listens).catch(() => undefined);
      },
    };
  }

  /** How Redis was at the last heartbeat. */
  vitals(): Vitals {
    return this.heartbeat.vitals();
  }

  /** Calls `listener` each time Redis, or a primary of its Cluster, is back. */
  onBack(listener: () => void): void {
    this.heartbeat.onBack(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.heartbeat[Symbol.dispose]();
    for (const listener of this.listeners) listener.close();
    this.client.disconnect();
    return Promise.resolve();
  }
}

/** Redis was not asked, because the heartbeat says that it is away. */
class RedisAway extends Error {
  readonly code = "AWAY";
  constructor(cause: string) {
    super(`Redis is away (${cause}).`);
  }
}

/** @param calls told how long the answer took, however late it is. */
function within<T>(ms: number, answer: Promise<T>, calls?: CallDurations): Promise<T> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const cancel = impatience(ms, () => {
      reject(new Error("Command timed out"));
    });
    const over = () => {
      cancel();
      calls?.observe((performance.now() - startedAt) / 1_000);
    };
    answer.then(over, over);
    answer.then(resolve, reject);
  });
}

function unreachable(address: RedisAddress, reason: string): RedisUnusable {
  const where = `Redis at ${addressText(address)}`;
  switch (reason) {
    case "NO_PRIMARY":
      return new RedisUnusable(
        `No sentinel at ${addressText(address)} names a primary called ${address.primaryName}. Are they running, and is the name after # in REDIS_URL right?`,
      );
    case "NOT_A_CLUSTER":
      return new RedisUnusable(`${where} is no Cluster: REDIS_URL must begin with redis:// or rediss://.`);
    default:
      return new RedisUnusable(
        `${where} does not answer (${reason}). Is it running, and is REDIS_URL right?`,
      );
  }
}

function checkServer(info: string): void {
  const version = /redis_version:(\d+)\.(\S+)/.exec(info);
  if (version && Number(version[1]) < 7) {
    throw new RedisUnusable(
      `Redis ${version[1] ?? ""}.${version[2] ?? ""} is too old: the gateway's scripts need Redis 7 or newer.`,
    );
  }
}

function checkReplication(info: string): void {
  if (/master_replid:[0-9a-f]+/.test(info)) return;
  throw new RedisUnusable(
    "This Redis hides master_replid in INFO replication, without which a failover could bring revoked tokens back.",
  );
}
