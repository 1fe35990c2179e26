/** The sliding windows that all gateways on one Redis share. */
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
import type { Turn } from "./sliding-window";

/**
 * `KEYS[1]` is a list of the turns given out last, in Redis's time, some of them yet to come. `ARGV: patience ms, limit,
 * window ms, many` → 1 or 0 whether the turn is granted, the wait in milliseconds, 1 or 0 whether there are `many` turns
 * in the window by now. A refused request leaves no trace.
 *
 * The list keeps twice the limit, because a limiter with a smaller limit shares it. A turn further ahead than anybody
 * waits was given out by a clock that has since been set back, or by another primary's: the list begins anew.
 */
const slidingWindow = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local patience, limit, window, many = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local turn = now
local last = tonumber(redis.call('LINDEX', KEYS[1], -1) or nil)
if last and last > now + 60000 then
  redis.call('DEL', KEYS[1])
  last = nil
end
local edge = redis.call('LINDEX', KEYS[1], -limit)
if edge then turn = math.max(turn, edge + window) end
if last then turn = math.max(turn, last) end
local wait = math.ceil(turn - now)
local granted = wait <= patience
if granted then
  redis.call('RPUSH', KEYS[1], string.format('%.0f', turn))
  redis.call('LTRIM', KEYS[1], -(2 * limit + 1), -1)
  redis.call('PEXPIRE', KEYS[1], math.ceil(wait + window))
end
local oldest = redis.call('LINDEX', KEYS[1], -many)
return {granted and 1 or 0, wait, oldest and oldest + window > now and 1 or 0}`;

/**
 * `KEYS[1]` is a sorted set of names by when they were last heard of. `ARGV: name, window ms` → how many there are.
 */
const census = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])`;

/** A turn, and whether many were given out in its window. */
export interface SharedTurn extends Turn {
  readonly isMany: boolean;
}

/** What is asked for. */
export interface SharedReservation {
  readonly limit: number;
  /** The longest wait for the turn, in milliseconds. */
  readonly patienceMs: number;
  /** How many turns in a window are many; default: more than there can be. */
  readonly many?: number;
}

/** Turns under limits, given out by Redis to all its gateways in the order of asking. */
export class SharedWindow {
  private readonly reserving: RedisScript;
  private readonly counting: RedisScript;

  constructor(
    redis: Pick<RedisConnection, "script">,
    private readonly windowMs: number,
  ) {
    this.reserving = redis.script("acsgwBudget", slidingWindow);
    this.counting = redis.script("acsgwCensus", census);
  }

  /** A turn in the list of this name. Rejects as Redis does. */
  async reserve(name: string, { limit, patienceMs, many }: SharedReservation): Promise<SharedTurn> {
    const [granted, waitMs, isMany] = (await this.reserving(
      `budget:${name}`,
      Math.max(1, Math.floor(patienceMs)),
      limit,
      this.windowMs,
      many ?? 2 * limit + 2,
    )) as [number, number, number];
    return { granted: granted === 1, waitMs, isMany: isMany === 1 };
  }

  /** Names `who`, and counts those that were named in the window. Rejects as Redis does. */
  async census(name: string, who: string): Promise<number> {
    return Number(await this.counting(`budget:${name}`, who, this.windowMs));
  }
}
