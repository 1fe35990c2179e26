/** Asks each part how it is: ready, or degraded when the gateway works without it. */
import type { RedisConnection } from "../redis/redis-connection";

/** How able the gateway is to serve, and each part's state in a word. */
export interface Readiness {
  /** `degraded` still serves, straight from Azure, so it counts as ready. */
  readonly status: "ready" | "degraded" | "unready";
  readonly parts: Readonly<Record<string, string>>;
}

/** Pings what can be away. Never rejects, and takes no longer than one Redis command may. */
export async function readiness(redis: Pick<RedisConnection, "ping"> | undefined): Promise<Readiness> {
  if (!redis) return { status: "ready", parts: {} };
  try {
    await redis.ping();
    return { status: "ready", parts: { redis: "ok" } };
  } catch {
    return { status: "degraded", parts: { redis: "away" } };
  }
}
