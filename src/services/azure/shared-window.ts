/** The sliding windows that all gateways on one Redis share. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection, RedisPairScript, RedisScript } from "../redis/redis-connection";
import { scriptSpan } from "../redis/redis-span";
import { traced, type Span } from "../telemetry/span";
import type { Turn } from "./sliding-window";

/**
 * `take` gives out a turn of a list of those given out last, in Redis's time, some of them yet to come: whether it is
 * granted, and the wait in milliseconds. A refused request leaves no trace.
 *
 * The list keeps twice the limit, because a limiter with a smaller limit shares it. A turn further ahead than anybody
 * waits was given out by a clock that has since been set back, or by another primary's: the list begins anew.
 */
const turns = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function take(key, limit, window, patience)
  local turn = now
  local last = tonumber(redis.call('LINDEX', key, -1) or nil)
  if last and last > now + 60000 then
    redis.call('DEL', key)
    last = nil
  end
  local edge = redis.call('LINDEX', key, -limit)
  if edge then turn = math.max(turn, edge + window) end
  if last then turn = math.max(turn, last) end
  local wait = math.ceil(turn - now)
  local granted = wait <= patience
  if granted then
    redis.call('RPUSH', key, string.format('%.0f', turn))
    redis.call('LTRIM', key, -(2 * limit + 1), -1)
    redis.call('PEXPIRE', key, math.ceil(wait + window))
  end
  return granted and 1 or 0, wait
end
`;

/** `KEYS[1]` is the list. `ARGV: window ms, patience ms, limit` → 1 or 0 whether the turn is granted, the wait. */
const reserve = `${turns}
return {take(KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[1]), tonumber(ARGV[2]))}`;

/**
 * `KEYS[1]` is the list of one, `KEYS[2]` that of all. `ARGV: window ms, patience ms, limit of the one, many, limit of
 * all (0: none is wanted), patience ms of one that has had many` → 1 or 0 whether one's own turn is granted, its wait,
 * 1 or 0 whether there are many own turns in the window by now; then the same of a turn among all, if it was asked for,
 * with 1 or 0 whether half of that limit is free: only when the own turn is now. One that is later asks again when it has
 * come.
 */
const enter = `${turns}
local window, patience, many = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local granted, wait = take(KEYS[1], tonumber(ARGV[3]), window, patience)
local oldest = redis.call('LINDEX', KEYS[1], -many)
local isMany = oldest and oldest + window > now and 1 or 0
local limit = tonumber(ARGV[5])
if granted == 0 or wait > 0 or limit == 0 then return {granted, wait, isMany} end
if isMany == 1 then patience = math.min(patience, tonumber(ARGV[6])) end
local allGranted, allWait = take(KEYS[2], limit, window, patience)
local half = redis.call('LINDEX', KEYS[2], -math.ceil(limit / 2))
return {granted, wait, isMany, allGranted, allWait, half and half + window > now and 0 or 1}`;

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

/**
 * `KEYS[1]` is the list. `ARGV: window ms` → how many of its turns are in the window that ends now, or yet to come. They
 * are in the order of time, and may be a million.
 */
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

/** What one of many asks for. */
export interface SharedEntry {
  /** One's own limit. */
  readonly limit: number;
  /** The longest wait for each turn, in milliseconds. */
  readonly patienceMs: number;
  /** How many own turns in a window are many. */
  readonly many: number;
  /** The limit of all, if a turn among them is wanted as well. */
  readonly ofAll: number | undefined;
  /** The longest that one who has had many waits among all, in milliseconds. */
  readonly bigPatienceMs: number;
  readonly span?: Span | undefined;
}

const inTraces = { reserve: scriptSpan("acsgwBudget"), enter: scriptSpan("acsgwBudgetEnter") };

/** One's own turn. */
export interface SharedEntryTurn extends Turn {
  /** Whether many own turns were given out in the window. */
  readonly isMany: boolean;
  /** The turn among all, when it was asked for. */
  readonly amongAll?: TurnAmongAll;
}

/** A turn among all. */
export interface TurnAmongAll extends Turn {
  /** Whether half of the limit or more is free. */
  readonly isPlenty: boolean;
}

/** Turns under limits, given out by Redis to all its gateways in the order of asking. */
export class SharedWindow {
  private readonly reserving: RedisScript;
  private readonly entering: RedisPairScript;
  private readonly counting: RedisScript;
  private readonly reading: RedisScript;

  constructor(
    redis: Pick<RedisConnection, "script" | "pairScript">,
    private readonly windowMs: number,
  ) {
    // A request waits for these before it goes to Azure.
    this.reserving = redis.script("acsgwBudget", reserve, "atOnce");
    this.entering = redis.pairScript("acsgwBudgetEnter", enter, "atOnce");
    this.counting = redis.script("acsgwCensus", census);
    this.reading = redis.script("acsgwBudgetUsed", used);
  }

  /** A turn in the list of this name. Rejects as Redis does. */
  async reserve(
    name: string,
    { limit, patienceMs, span }: { limit: number; patienceMs: number; span?: Span | undefined },
  ): Promise<Turn> {
    const ask = () => this.reserving(listOf(name), this.windowMs, whole(patienceMs), limit);
    const [granted, waitMs] = (await traced(span, inTraces.reserve, ask, reasonOf)) as [number, number];
    return { granted: granted === 1, waitMs };
  }

  /** A turn in the list of `who`, and at the same time one in that of this name. Rejects as Redis does. */
  async enter(name: string, who: string, entry: SharedEntry): Promise<SharedEntryTurn> {
    const { limit, patienceMs, many, ofAll = 0, bigPatienceMs, span } = entry;
    const ask = () =>
      this.entering(
        [`${listOf(name)}:${who}`, listOf(name)],
        this.windowMs,
        whole(patienceMs),
        limit,
        many,
        ofAll,
        whole(bigPatienceMs),
      );
    const [granted, waitMs, isMany, allGranted, allWaitMs, isPlenty] = (await traced(
      span,
      inTraces.enter,
      ask,
      reasonOf,
    )) as [number, number, number, number?, number?, number?];
    const own = { granted: granted === 1, waitMs, isMany: isMany === 1 };
    if (allWaitMs === undefined) return own;
    const amongAll = { granted: allGranted === 1, waitMs: allWaitMs, isPlenty: isPlenty === 1 };
    return { ...own, amongAll };
  }

  /** How many turns in the list of this name are of the present window, or yet to come. Rejects as Redis does. */
  async used(name: string): Promise<number> {
    return Number(await this.reading(listOf(name), this.windowMs));
  }

  /** Names `who`, and counts those that were named in the window. Rejects as Redis does. */
  async census(name: string, who: string): Promise<number> {
    return Number(await this.counting(`${listOf(name)}:big`, who, this.windowMs));
  }
}

/** The braces keep what belongs to one operation on one Cluster slot: its lists are asked together. */
function listOf(name: string): string {
  return `budget:{${name}}`;
}

function whole(patienceMs: number): number {
  return Math.max(1, Math.floor(patienceMs));
}
