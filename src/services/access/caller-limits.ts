/** How much a caller, or an address, may ask for in a minute, known to all replicas without asking Redis each time. */
import { createHash } from "node:crypto";
import { boundedCache } from "../bounded-cache";
import type { Clock } from "../clock";
import type { RedisConnection, RedisScript } from "../redis/redis-connection";

/** What is limited. */
export type LimitName = "requests" | "issuances";

const windowMs = 60_000;
/** How often replicas tell each other of the busy ones; a round of many thousands takes longer. */
const shareEveryMs = 250;
/** The most that are counted at once; the ones that were idle for longest are forgotten first. */
const maxCounted = 100_000;
/** The most that Redis is asked about at a time. */
const batchSize = 500;

/**
 * Adds to a window's count. `KEYS[1]` the count, `ARGV: how many, keep ms` → the count of all replicas.
 */
const add = `#!lua flags=allow-oom
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return count`;

interface Counted {
  readonly name: LimitName;
  readonly who: string;
}

interface Count {
  /** Which window, in windows since the epoch. */
  window: number;
  /** Taken here in the window. */
  own: number;
  /** Taken here and told to the others. */
  told: number;
  /** Taken elsewhere in the window, as far as is known. */
  others: number;
  /** Taken everywhere in the window before. */
  before: number;
}

/**
 * A sliding window of a minute for each key, approximated by two fixed ones (what the one before counts fades with time).
 * A decision is made from memory alone, so it costs a request no round trip. Whoever is near a limit is told to the
 * other replicas four times a second: what somebody gains by asking several replicas at once is what they let through
 * within that time. While Redis is away each replica counts for itself.
 */
export class CallerLimits implements AsyncDisposable {
  /** By what is limited, and then by who: a text of both would have to be made, and hashed, for each request. */
  private readonly counts = {
    requests: boundedCache<string, Count>(maxCounted),
    issuances: boundedCache<string, Count>(maxCounted),
  };
  private readonly busy = new Map<string, Counted>();
  private readonly script: RedisScript | undefined;
  private readonly timer: NodeJS.Timeout | undefined;
  private sharing: Promise<void> | undefined;

  constructor(
    redis: Pick<RedisConnection, "script"> | undefined,
    private readonly clock: Clock,
  ) {
    this.script = redis?.script("acsgwLimit", add);
    if (this.script) this.timer = setInterval(() => void this.share(), shareEveryMs).unref();
  }

  /** Takes one of `perMinute`. Returns 0, or the milliseconds to wait when there is none left: then nothing is taken. */
  take(name: LimitName, who: string, perMinute: number): number {
    const now = this.clock.now();
    const count = this.countOf(name, who, Math.floor(now / windowMs));
    const into = (now % windowMs) / windowMs;
    const taken = count.before * (1 - into) + count.own + count.others;
    if (taken + 1 > perMinute) return waitMs(count, perMinute, into);
    count.own += 1;
    // Who is far from the limit here is far from it everywhere, unless there are ten replicas and more.
    if (this.script && count.own * 10 >= perMinute) this.busy.set(`${name} ${who}`, { name, who });
    return 0;
  }

  /** Tells the other replicas what was taken here, and hears what was taken there. Never rejects. */
  share(): Promise<void> {
    return (this.sharing ??= this.tellBusy().finally(() => (this.sharing = undefined)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    await this.sharing;
  }

  private countOf(name: LimitName, who: string, window: number): Count {
    const counts = this.counts[name];
    const known = counts.get(who);
    if (known?.window === window) return known;
    const before = known?.window === window - 1 ? known.own + known.others : 0;
    const fresh = { window, own: 0, told: 0, others: 0, before };
    counts.set(who, fresh);
    return fresh;
  }

  private async tellBusy(): Promise<void> {
    const busy = [...this.busy];
    for (let from = 0; from < busy.length; from += batchSize) {
      const batch = busy.slice(from, from + batchSize);
      await Promise.all(batch.map(([key, counted]) => this.tell(key, counted)));
    }
  }

  private async tell(key: string, { name, who }: Counted): Promise<void> {
    const count = this.counts[name].peek(who);
    const stale = count?.window !== Math.floor(this.clock.now() / windowMs);
    if (!this.script || !count || stale) {
      this.busy.delete(key);
      return;
    }
    const { window, own } = count;
    const more = own - count.told;
    // Before it is sent: what timed out may have been counted, and to count it twice would refuse somebody wrongly.
    count.told = own;
    try {
      // A caller's name is nobody's business in Redis.
      const digest = createHash("sha256").update(key).digest("base64url").slice(0, 22);
      const all = Number(await this.script(`limit:${digest}:${window}`, more, 2 * windowMs));
      if (count.window === window) count.others = Math.max(count.others, all - own);
    } catch {
      // The heartbeat has told that Redis is away.
    }
  }
}

/** Until one is free: in this window, when what the one before counts has faded enough, or in the next one. */
function waitMs({ own, others, before }: Count, perMinute: number, into: number): number {
  const now = own + others;
  const faded = (count: number, room: number) => (count <= room ? 0 : 1 - room / count);
  const here = now < perMinute ? faded(before, perMinute - 1 - now) : 1;
  const until = here < 1 ? here : 1 + faded(now, perMinute - 1);
  return Math.max(1, Math.ceil((until - into) * windowMs) + 1);
}
