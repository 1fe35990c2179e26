/** A test's own connection to a Redis, made as the gateway makes it. */
import { parseRedisUrl } from "../../src/services/redis/redis-address";
import { RedisConnection, type RedisEvents } from "../../src/services/redis/redis-connection";

/** Connects; the caller closes. */
export function connectTo(
  url: string,
  events: RedisEvents,
  options: { readonly keyPrefix?: string; readonly commandTimeoutMs?: number } = {},
): Promise<RedisConnection> {
  const address = parseRedisUrl(url);
  if (!address) throw new Error(`${url} is no Redis URL.`);
  return RedisConnection.connect({ address, keyPrefix: "", commandTimeoutMs: 1_000, ...options }, events);
}
