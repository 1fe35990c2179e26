/** The sliding window that all gateways on one Redis share. */
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";
import type { Turn } from "./sliding-window";

/**
 * Takes the place of the library's own script, whose window starts anew with its first request and so lets twice the
 * limit through across a border. `KEYS[1]` is a list of the turns given out last, in Redis's time, some of them yet
 * to come. `ARGV: points (not used), patience ms, limit, window seconds` → consumed points (more than the limit when
 * refused) and the wait in milliseconds. A refused request leaves no trace.
 *
 * The list keeps twice the limit, because a limiter with a smaller limit shares it. A turn further ahead than anybody
 * waits was given out by a clock that has since been set back, or by another primary's: the list begins anew.
 */
const slidingWindow = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local patience, limit, window = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] * 1000
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
if wait > patience then return {limit + 1, wait} end
redis.call('RPUSH', KEYS[1], string.format('%.0f', turn))
redis.call('LTRIM', KEYS[1], -(2 * limit + 1), -1)
redis.call('PEXPIRE', KEYS[1], math.ceil(wait + window))
return {limit, wait}`;

/** Turns under a limit, given out by Redis to all its gateways in the order of asking. */
export class SharedWindow {
  private readonly limiters: Readonly<Record<"all" | "background", RateLimiterRedis>>;

  constructor(redis: Pick<RedisConnection, "script">, name: string, limit: number, windowMs: number) {
    const limiter = (points: number) =>
      new RateLimiterRedis({
        storeClient: clientFor(redis),
        keyPrefix: "",
        points,
        duration: windowMs / 1000,
        customIncrTtlLuaScript: slidingWindow,
      });
    this.name = `budget:${name}`;
    this.limiters = { all: limiter(limit), background: limiter(Math.max(1, Math.floor(limit / 2))) };
  }

  private readonly name: string;

  /** A turn within `patienceMs`. Background callers leave half of the limit to the others. Rejects as Redis does. */
  async reserve(patienceMs: number, background: boolean): Promise<Turn> {
    const limiter = this.limiters[background ? "background" : "all"];
    try {
      // How long a consumption lasts is the library's way to pass a number with a call; ours is the patience.
      const { msBeforeNext } = await limiter.consume(this.name, 1, {
        customDuration: Math.max(1, Math.floor(patienceMs)),
      });
      return { granted: true, waitMs: msBeforeNext };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      return { granted: false, waitMs: refusal.msBeforeNext };
    }
  }
}

/** What the library needs of a client, on the gateway's own connection with its timeouts, prefix and heartbeat. */
function clientFor(redis: Pick<RedisConnection, "script">) {
  let run: RedisScript | undefined;
  return {
    defineCommand: (_name: string, { lua }: { readonly lua: string }) => {
      run = redis.script("acsgwBudget", lua);
    },
    rlflxIncr: ([key = "", ...args]: readonly string[]) => run?.(key, ...args),
  };
}
