/** The sliding window that all replicas on one Redis share. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
import { scriptSpan } from "../redis/redis-span";
import { traced, type Span } from "../telemetry/span";
import type { Reservation } from "./sliding-window";

/**
 * Gives out the next permit in Redis's time. `KEYS[1]` is the list of the last permits, some of them for later;
 * `ARGV: window ms, patience ms, limit` → 1 or 0 whether it is granted, the wait in ms. A refusal leaves no trace.
 *
 * The list keeps twice the limit, because a smaller limit shares it (background calls). A permit further ahead than
 * anybody waits was given out by a clock that has since been set back, or by another primary: the list starts again.
 */
const reserve = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, patience, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local permit = now
local last = tonumber(redis.call('LINDEX', KEYS[1], -1) or nil)
if last and last > now + 60000 then
  redis.call('DEL', KEYS[1])
  last = nil
end
local edge = redis.call('LINDEX', KEYS[1], -limit)
if edge then permit = math.max(permit, edge + window) end
if last then permit = math.max(permit, last) end
local wait = math.ceil(permit - now)
if wait > patience then return {0, wait} end
redis.call('RPUSH', KEYS[1], string.format('%.0f', permit))
redis.call('LTRIM', KEYS[1], -(2 * limit + 1), -1)
redis.call('PEXPIRE', KEYS[1], math.ceil(wait + window))
return {1, wait}`;

/** `KEYS[1]` is the list. `ARGV: window ms` → how many permits are of the window that ends now, or for later. */
const used = `#!lua flags=allow-oom
local time = redis.call('TIME')
local edge = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
local length = redis.call('LLEN', KEYS[1])
local low, high = 0, length
while low < high do
  local middle = math.floor((low + high) / 2)
  if tonumber(redis.call('LINDEX', KEYS[1], middle)) > edge then high = middle else low = middle + 1 end
end
return length - low`;

const reserveSpan = scriptSpan("acsgwPermit");

/** Permits under a limit, given out by Redis in the order of asking. Its methods reject as Redis does. */
export class RedisWindow {
  private readonly reserving: RedisScript;
  private readonly counting: RedisScript;

  /** @param key a list of its own for each limit. */
  constructor(
    redis: Pick<RedisConnection, "script">,
    private readonly key: string,
    private readonly windowMs: number,
  ) {
    // A request waits for it before it goes to ACS.
    this.reserving = redis.script("acsgwPermit", reserve, "atOnce");
    this.counting = redis.script("acsgwPermitsUsed", used);
  }

  /** A permit that may be used within `patienceMs`. */
  async reserve(limit: number, patienceMs: number, span?: Span): Promise<Reservation> {
    const ask = () => this.reserving(this.key, this.windowMs, Math.max(0, Math.floor(patienceMs)), limit);
    const [granted, waitMs] = (await traced(span, reserveSpan, ask, reasonOf)) as [number, number];
    return { granted: granted === 1, waitMs };
  }

  /** Permits of the window that ends now, and those for later. */
  async used(): Promise<number> {
    return Number(await this.counting(this.key, this.windowMs));
  }
}
