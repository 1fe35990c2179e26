/** Streams of revocations for callers: whose they may follow, how many at once, and for how long. */
import { GatewayError } from "../errors";
import type { Clock } from "../services/clock";
import type { Notices, RevocationNotices } from "../services/tokens/revocation-notices";
import { callerOf } from "./access-rules";
import type { OwnIdentity, Target } from "./own-identity";
import type { RequestContext } from "./request-context";
import type { RevocationEvent } from "./revocation-resolver";

/** How long a stream lasts and how many a user may have. */
export interface FeedLimits {
  /** After it the stream ends, so that clients are known anew and spread over the replicas that there are by then. */
  readonly maxMs: number;
  /** Streams that one user may have open at one replica: his tabs and devices. */
  readonly perUser: number;
}

export const feedLimits: FeedLimits = { maxMs: 3_600_000, perUser: 20 };

/** Opens streams. */
export class RevocationFeed {
  private readonly open = new Map<string, number>();

  constructor(
    private readonly notices: RevocationNotices,
    private readonly own: OwnIdentity,
    private readonly clock: Clock,
    private readonly limits: FeedLimits = feedLimits,
  ) {}

  /** Throws as {@link OwnIdentity.find} does, or `RATE_LIMITED` when the user has too many streams. */
  async follow(
    context: RequestContext,
    target: Target,
  ): Promise<AsyncIterableIterator<RevocationEvent, undefined>> {
    const { id, user, validUntil } = callerOf(context);
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
      const stop = () => {
        clearTimeout(timer);
        leave();
        end.abort();
      };
      if (signal?.aborted) stop();
      else signal?.addEventListener("abort", stop, { once: true });
      end.signal.addEventListener("abort", stop, { once: true });
      const notices = this.notices.of(identityId, end.signal);
      await this.notices.ready();
      return eventsOf(identityId, notices, stop);
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

/** The notices as events; a deletion is the last. */
function eventsOf(
  identityId: string,
  notices: Notices,
  stop: () => void,
): AsyncIterableIterator<RevocationEvent, undefined> {
  const events: AsyncIterableIterator<RevocationEvent, undefined> = {
    next: async () => {
      const next = await notices.next();
      if (next.done || next.value.cause === "deletion") stop();
      return next.done ? next : { done: false, value: { identity: { id: identityId }, ...next.value } };
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
