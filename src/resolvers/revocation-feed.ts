/** Streams of revocations for callers: whose they may follow, how many at once, and while their credential is good. */
import { GatewayError } from "../errors";
import type { Caller } from "../services/access/caller";
import type { Clock } from "../services/clock";
import type { Notices, RevocationNotices } from "../services/tokens/revocation-notices";
import { callerOf } from "./access-rules";
import type { OwnIdentity } from "./own-identity";
import type { RequestContext, RevocationEvent, Target } from "./context";

/** How long a stream lasts and how many a user may have. */
export interface FeedLimits {
  /** After it the stream ends, so that clients are known anew and spread over the replicas that there are by then. */
  readonly maxMs: number;
  /** Streams that one user may have open at one replica: his tabs and devices. */
  readonly perUser: number;
  /** How often the credentials of open streams are verified again, in milliseconds. */
  readonly recheckMs: number;
}

const feedLimits: FeedLimits = { maxMs: 3_600_000, perUser: 20, recheckMs: 30_000 };

/** Opens streams, and ends each when its caller's credential is no longer good. */
export class RevocationFeed implements AsyncDisposable {
  private readonly open = new Map<string, number>();
  private readonly rechecks = new Set<() => Promise<boolean>>();
  private readonly limits: FeedLimits;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly notices: RevocationNotices,
    private readonly own: OwnIdentity,
    private readonly clock: Clock,
    limits: Partial<FeedLimits> = {},
  ) {
    this.limits = { ...feedLimits, ...limits };
    this.timer = setInterval(() => {
      this.recheck();
    }, this.limits.recheckMs).unref();
  }

  /** Ends the streams whose credential is no longer good: at once, or when an issuer's keys have been fetched. */
  recheck(): void {
    for (const check of this.rechecks) void check();
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  /** Throws as {@link OwnIdentity.find} does, or `RATE_LIMITED` when the user has too many streams. */
  async follow(
    context: RequestContext,
    target: Target,
  ): Promise<AsyncIterableIterator<RevocationEvent, undefined>> {
    const caller = callerOf(context);
    const { id, user, validUntil } = caller;
    const leave = user ? this.enter(id) : () => undefined;
    const end = new AbortController();
    try {
      const how = { any: "identity:read:any", make: true, input: "" } as const;
      const { identityId } = await this.own.find(context, target, how);
      const { signal } = context.call;
      const lastsMs = Math.min(this.limits.maxMs, (validUntil ?? Infinity) - this.clock.now());
      const timer = setTimeout(() => {
        end.abort();
      }, lastsMs);
      timer.unref();
      const check = async () => {
        const isGood = !end.signal.aborted && (await isStillGood(caller, context));
        if (!isGood) stop();
        return isGood;
      };
      const stop = () => {
        clearTimeout(timer);
        this.rechecks.delete(check);
        leave();
        end.abort();
      };
      if (signal?.aborted) stop();
      else signal?.addEventListener("abort", stop, { once: true });
      end.signal.addEventListener("abort", stop, { once: true });
      if (!end.signal.aborted) this.rechecks.add(check);
      const notices = this.notices.of(identityId, end.signal);
      await this.notices.ready();
      // It may have gone while the stream was opened.
      await check();
      return eventsOf(identityId, notices, stop, check);
    } catch (error) {
      leave();
      throw error;
    }
  }

  private enter(id: string): () => void {
    const count = this.open.get(id) ?? 0;
    if (count >= this.limits.perUser) {
      throw new GatewayError(
        "RATE_LIMITED",
        `You have ${count} streams open, which is the most: close one first.`,
        { limit: this.limits.perUser, retryAfterSeconds: 60 },
      );
    }
    this.open.set(id, count + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = (this.open.get(id) ?? 1) - 1;
      if (now > 0) this.open.set(id, now);
      else this.open.delete(id);
    };
  }
}

/** Whether the same credential still stands for the same caller, for as long and with no fewer rights. */
async function isStillGood(caller: Caller, context: RequestContext): Promise<boolean> {
  try {
    const now = await context.authenticateAgain();
    if (now === caller) return true;
    const rights = [...caller.rights];
    return (
      now?.id === caller.id &&
      now.validUntil === caller.validUntil &&
      rights.every((right) => now.rights.has(right))
    );
  } catch {
    return false;
  }
}

/** The notices as events, each sent only if `check` finds the credential good; a deletion is the last. */
function eventsOf(
  identityId: string,
  notices: Notices,
  stop: () => void,
  check: () => Promise<boolean>,
): AsyncIterableIterator<RevocationEvent, undefined> {
  const events: AsyncIterableIterator<RevocationEvent, undefined> = {
    next: async () => {
      const next = await notices.next();
      if (next.done || !(await check())) {
        stop();
        return { done: true, value: undefined };
      }
      if (next.value.cause === "deletion") stop();
      return { done: false, value: { identity: { id: identityId }, ...next.value } };
    },
    return: async () => {
      stop();
      await notices.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => events,
  };
  return events;
}
