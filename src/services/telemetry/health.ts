/** How each part is: ready, or degraded when the gateway works without it. */
import type { RedisConnection } from "../redis/redis-connection";

/** How able the gateway is to serve, and each part's state in a word. */
export interface Readiness {
  /** `degraded` still serves, straight from Azure, so it counts as ready. */
  readonly status: "ready" | "degraded" | "unready";
  readonly parts: Readonly<Record<string, string>>;
}

/** What the heartbeat last found; asks nobody. */
export function readiness(redis: Pick<RedisConnection, "vitals"> | undefined): Readiness {
  if (!redis) return { status: "ready", parts: {} };
  const { status } = redis.vitals();
  return { status: status === "ok" ? "ready" : "degraded", parts: { redis: status } };
}
