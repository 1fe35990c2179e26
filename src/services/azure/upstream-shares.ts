/** Keeps one caller's share of Azure's limit from becoming everybody's: who takes much waits behind himself. */
import { hash } from "node:crypto";
import type { LRUCache } from "lru-cache";
import { boundedCache } from "../bounded-cache";
import type { Span } from "../telemetry/span";
import { SlidingWindow, type Turn } from "./sliding-window";
import type { SharedEntryTurn, SharedWindow, TurnAmongAll } from "./shared-window";

/** Of the limit: up to here a caller is like any other, and has its turn in the order of asking. */
const modest = 1 / 20;
/** Of the limit: what all those together may take who take more than that. The rest is for whoever comes. */
const forBig = 9 / 10;
/** Accounts that are remembered; a forgotten one begins anew. */
const maxAccounts = 20_000;
/** How often it is counted how many big accounts there are, in milliseconds. */
const countEveryMs = 500;

/** What a caller is to do before it asks for a turn among all. */
export interface Entry extends Turn {
  /** It has had more than a modest part: it takes what is free, or is about to be. */
  readonly big: boolean;
  /** The turn among all, when it could be had together with this one. */
  readonly amongAll?: TurnAmongAll | undefined;
}

/**
 * An account that has had a twentieth of the limit within a window is a big one. Big ones share nine tenths of the limit
 * equally and queue each in a line of its own, so none can make the common queue long; a small one finds room even if
 * it is the first that another has left any for. (Max-min fairness, in two classes.)
 */
export class UpstreamShares {
  private readonly windows: LRUCache<string, SlidingWindow>;
  private readonly big: LRUCache<string, true>;
  private readonly many: number;
  /** The longest that a big account waits among all: its own turns slip a little, and come late into the next window. */
  readonly shortQueueMs: number;
  private bigCount = 1;
  private countedAt = -Infinity;

  constructor(
    private readonly name: string,
    private readonly limit: number,
    private readonly windowMs: number,
    /** How many gateways the limit is divided among while Redis is away. */
    private readonly replicas: number,
    private readonly shared: SharedWindow | undefined,
  ) {
    this.windows = boundedCache(maxAccounts);
    this.big = boundedCache(maxAccounts, windowMs);
    this.shortQueueMs = windowMs / 10;
    this.many = Math.max(1, Math.ceil(limit * modest));
  }

  /**
   * The account's own turn, within `patienceMs`, and at the same time one among all, if that is `wanted`: it may come
   * without one all the same. Never rejects: without Redis each gateway counts for itself.
   */
  async enter(accountId: string, patienceMs: number, wanted = false, span?: Span): Promise<Entry> {
    const who = nameOf(accountId);
    const wasBig = this.big.has(who);
    if (wasBig) await this.count(who);
    const turn = (await this.enterShared(who, patienceMs, wanted, span)) ?? this.reserveOwn(who, patienceMs);
    if (turn.isMany) {
      this.big.set(who, true);
      // Nobody's turn waits for it: it is for those that come.
      if (!wasBig) void this.count(who);
    }
    return { granted: turn.granted, waitMs: turn.waitMs, big: turn.isMany, amongAll: turn.amongAll };
  }

  private share(divisor: number): number {
    return Math.max(this.many, Math.floor((this.limit * forBig) / this.bigCount / divisor));
  }

  private async enterShared(
    who: string,
    patienceMs: number,
    wanted: boolean,
    span: Span | undefined,
  ): Promise<SharedEntryTurn | undefined> {
    try {
      return await this.shared?.enter(this.name, who, {
        limit: this.share(1),
        patienceMs,
        many: this.many,
        ofAll: wanted ? this.limit : undefined,
        bigPatienceMs: this.shortQueueMs,
        span,
      });
    } catch {
      // The common window is asked next, and tells that Redis is away.
      return undefined;
    }
  }

  private reserveOwn(who: string, patienceMs: number): SharedEntryTurn {
    const window = this.windows.get(who) ?? new SlidingWindow(this.windowMs, this.limit);
    this.windows.set(who, window);
    const now = performance.now();
    const turn = window.reserve(now, this.share(this.shared ? this.replicas : 1), patienceMs);
    const isMany = window.earliest(now, this.many) > now;
    return { ...turn, isMany };
  }

  private async count(who: string): Promise<void> {
    const now = performance.now();
    if (now - this.countedAt < countEveryMs) return;
    this.countedAt = now;
    this.bigCount = Math.max(1, (await this.censusOf(who)) ?? this.big.size);
  }

  private async censusOf(who: string): Promise<number | undefined> {
    try {
      return await this.shared?.census(`${this.name}:big`, who);
    } catch {
      return undefined;
    }
  }
}

/** What an account is called in Redis: who it is, is nobody's business there. */
function nameOf(accountId: string): string {
  return hash("sha256", accountId, "base64url").slice(0, 22);
}
