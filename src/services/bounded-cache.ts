/** A bounded cache that takes no room before it holds something. */
import { LRUCache } from "lru-cache";

/**
 * At most `max` values; the ones that were not used for longest are forgotten first, and all of them after `ttl`
 * milliseconds if that is given. lru-cache's own `max` would make room for all of them at once: 20 ms and megabytes for
 * each cache of each gateway that starts. As a size that each value has one of, it grows with what is held.
 */
export function boundedCache<K extends string, V extends object | string | true>(
  max: number,
  ttl?: number,
): LRUCache<K, V> {
  return new LRUCache<K, V>({
    maxSize: max,
    sizeCalculation: () => 1,
    ...(ttl === undefined ? {} : { ttl }),
  });
}
