/** Keeps the replicas' calls of one operation under the limit of ACS: permits in order, and early refusals. */
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection } from "../redis/redis-connection";
import { sleep } from "../sleep";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import { rateLimited } from "./acs-errors";
import { RedisWindow } from "./redis-window";
import { SlidingWindow, type Reservation } from "./sliding-window";
import { defaultIssuances, limitOf, limitWindowMs, type Operation } from "./upstream-operation";

/** What ACS allows a resource, and how many replicas share it. */
export interface RateLimits {
  /** A name of the resource that all its replicas use, where there may be several on one Redis. */
  readonly resource?: string;
  /** Issuances per window; the other operations' limits are in proportion. */
  readonly issuances: number;
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
  /** Replicas that divide the limit among themselves while Redis is away. */
  readonly replicas: number;
}

/** The limits of ACS for a replica that is alone. */
export const defaultRateLimits: RateLimits = {
  issuances: defaultIssuances,
  windowMs: limitWindowMs,
  replicas: 1,
};

/** Who wants a permit. */
export interface PermitRequest {
  /** The longest that the caller waits, in milliseconds. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Leaves half of the limit to the others, and does not wait. */
  readonly background?: boolean | undefined;
  readonly span?: Span | undefined;
}

/** How a limit stands. */
export interface RateLimitReading {
  /** Requests in a window that this replica keeps to now. */
  readonly limit: number;
  /** What is left of it. */
  readonly remaining: number;
  /** Callers here that wait for their permit. */
  readonly queued: number;
}

/**
 * How much longer than that of ACS our window is. Requests are counted here when they may go and there when they
 * arrive; a slow one and a quick one are that much closer there.
 */
const margin = 1.03;

/**
 * One operation of one resource. The window in Redis is shared by all replicas. What this process itself has sent it
 * remembers too: a window that Redis has lost starts empty. While Redis is away, and for a window after, it keeps to
 * its share, and enters its calls in Redis all the same once that is back.
 */
export class RateLimiter {
  private readonly own: SlidingWindow;
  private readonly shared: RedisWindow | undefined;
  private readonly limit: number;
  private readonly share: number;
  private readonly windowMs: number;
  /** Until then the shared window does not know of all calls. */
  private aloneUntil = -Infinity;
  private queued = 0;

  constructor(
    operation: Operation,
    { resource, issuances, windowMs, replicas }: RateLimits,
    redis?: Pick<RedisConnection, "script">,
    private readonly events?: Pick<Events, "budgetUnavailable">,
  ) {
    this.windowMs = Math.ceil(windowMs * margin);
    this.limit = limitOf(operation, issuances);
    this.share = redis ? Math.max(1, Math.floor(this.limit / replicas)) : this.limit;
    this.own = new SlidingWindow(this.windowMs, this.limit);
    const name = resource === undefined ? operation : `${resource}:${operation}`;
    this.shared = redis && new RedisWindow(redis, `rate:{${name}}`, this.windowMs);
  }

  /**
   * Resolves when the caller may send. Rejects with `RATE_LIMITED` as soon as it is known that it cannot wait so long,
   * or with the signal's reason.
   */
  async acquire({ patienceMs, signal, background = false, span }: PermitRequest): Promise<void> {
    const { granted, waitMs } = await this.reserve(background ? 0 : patienceMs, background ? 2 : 1, span);
    if (!granted) throw rateLimited(waitMs);
    if (waitMs <= 0) return;
    this.queued++;
    try {
      await sleep(waitMs, signal);
    } finally {
      this.queued--;
    }
  }

  /** How the limit stands, for all replicas while Redis can be asked. Never rejects. */
  async reading(): Promise<RateLimitReading> {
    const now = performance.now();
    const shared = now < this.aloneUntil ? undefined : await this.shared?.used().catch(() => undefined);
    const limit = shared === undefined ? this.share : this.limit;
    return {
      limit,
      remaining: Math.max(0, limit - (shared ?? this.own.used(now))),
      queued: this.queued,
    };
  }

  private async reserve(patienceMs: number, divisor: number, span: Span | undefined): Promise<Reservation> {
    const part = (limit: number) => Math.max(1, Math.floor(limit / divisor));
    const ownLimit = () => part(performance.now() < this.aloneUntil ? this.share : this.limit);
    const now = performance.now();
    const ownWaitMs = this.own.earliest(now, ownLimit()) - now;
    if (ownWaitMs > patienceMs) return { granted: false, waitMs: ownWaitMs };
    const shared = await this.reserveShared(part(this.limit), patienceMs, span);
    if (shared?.granted === false) return shared;
    const waitMs = shared?.waitMs ?? 0;
    const own = this.own.reserve(performance.now() + waitMs, ownLimit(), patienceMs - waitMs);
    return { granted: own.granted, waitMs: waitMs + own.waitMs };
  }

  private async reserveShared(
    limit: number,
    patienceMs: number,
    span: Span | undefined,
  ): Promise<Reservation | undefined> {
    try {
      return await this.shared?.reserve(limit, patienceMs, span);
    } catch (error) {
      this.events?.budgetUnavailable(reasonOf(error));
      this.aloneUntil = performance.now() + this.windowMs;
      return undefined;
    }
  }
}
