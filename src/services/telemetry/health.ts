/** Asks each part how it is: ready, or degraded when the gateway works without it. */
import type { RedisConnection } from "../redis";

/** How the gateway is. A degraded gateway still issues tokens, straight from Azure. */
export interface Readiness {
  readonly status: "ready" | "degraded";
  readonly parts: Readonly<Record<string, "ok" | "away">>;
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
