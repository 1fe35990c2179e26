/** The one Redis connection: short timeouts, no offline queue, scripts by hash. The only importer of ioredis. */
import { Redis } from "ioredis";

/** How to reach Redis. */
export interface RedisOptions {
  /** `redis://` or `rediss://`, with user, password and database as usual. */
  readonly url: string;
  /** The longest a command may take, in milliseconds, before the request goes on without Redis. */
  readonly commandTimeoutMs: number;
  /** Starts every key. */
  readonly keyPrefix: string;
}

/** Runs one script on one key. Answers are Buffers, numbers, null, or arrays of these. */
export type RedisScript = (key: string, ...args: (string | number | Buffer)[]) => Promise<unknown>;

/** Redis could not be reached, or is not one that the gateway can work with. The message is fit for the operator. */
export class RedisUnusable extends Error {
  override readonly name = "RedisUnusable";
}

type ScriptableRedis = Redis & Record<string, RedisScript>;

/** An open connection that comes back by itself when Redis does. */
export class RedisConnection implements AsyncDisposable {
  private constructor(
    private readonly redis: Redis,
    readonly keyPrefix: string,
  ) {}

  /**
   * Connects and checks that Redis can run the token scripts. Throws {@link RedisUnusable} when it is not there now;
   * once connected, an outage is an error of each command, not of the connection.
   */
  static async connect(options: RedisOptions, onError: (reason: string) => void): Promise<RedisConnection> {
    const redis = new Redis(options.url, {
      lazyConnect: true,
      connectTimeout: 2_000,
      commandTimeout: options.commandTimeoutMs,
      // A command that waits for a lost Redis to return would outlive its request, and run when nobody expects it.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableAutoPipelining: true,
      retryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
    });
    let connected = false;
    let lastError: Error | undefined;
    redis.on("error", (error: Error) => {
      lastError = error;
      // Before that, the error is thrown to whoever starts the gateway.
      if (connected) onError(reasonOf(error));
    });
    try {
      await redis.connect();
      await checkServer(redis);
    } catch (error) {
      redis.disconnect();
      if (error instanceof RedisUnusable) throw error;
      throw new RedisUnusable(
        `Redis at ${addressOf(options.url)} does not answer (${reasonOf(lastError ?? error)}). Is it running, and is REDIS_URL right?`,
      );
    }
    connected = true;
    return new RedisConnection(redis, options.keyPrefix);
  }

  /** Makes a Lua script callable; it is sent once and called by its hash from then on. */
  script(name: string, lua: string): RedisScript {
    this.redis.defineCommand(name, { numberOfKeys: 1, lua });
    const redis = this.redis as ScriptableRedis;
    const call = `${name}Buffer`;
    const run = redis[call];
    if (!run) throw new Error(`ioredis did not define ${call}.`);
    return (key, ...args) => run.call(redis, this.keyPrefix + key, ...args);
  }

  /** Rejects when Redis does not answer. */
  async ping(): Promise<void> {
    await this.redis.ping();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.redis.disconnect();
    return Promise.resolve();
  }
}

/** A short code for an error of Redis or its socket: `ECONNREFUSED`, `READONLY`, `TIMEOUT`. Never a command's arguments. */
export function reasonOf(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === "string") return code;
  if (typeof message !== "string") return "UNKNOWN";
  if (message === "Command timed out") return "TIMEOUT";
  if (/Stream isn't writeable|Connection is closed/.test(message)) return "DISCONNECTED";
  return /^-?([A-Z]{2,})\b/.exec(message)?.[1] ?? "UNKNOWN";
}

/** The address without user and password. */
function addressOf(url: string): string {
  return new URL(url).host;
}

async function checkServer(redis: Redis): Promise<void> {
  const version = /redis_version:(\d+)\.(\S+)/.exec(await redis.info("server"));
  if (version && Number(version[1]) < 7) {
    throw new RedisUnusable(
      `Redis ${version[1] ?? ""}.${version[2] ?? ""} is too old: the gateway's scripts need Redis 7 or newer.`,
    );
  }
  if (!/master_replid:[0-9a-f]+/.test(await redis.info("replication"))) {
    throw new RedisUnusable(
      "This Redis hides master_replid in INFO replication, without which a failover could bring revoked tokens back.",
    );
  }
}
