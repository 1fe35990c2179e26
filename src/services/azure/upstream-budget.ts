/** Keeps the gateways' requests under Azure's limits: gives turns, refuses early what would wait too long. */
import { sleep } from "../sleep";
import { reasonOf } from "../redis/reason-of";
import type { RedisConnection } from "../redis/redis-connection";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import { rateLimited } from "./rate-limited";
import { SharedWindow } from "./shared-window";
import { SlidingWindow, type Turn } from "./sliding-window";
import { UpstreamShares, type Entry } from "./upstream-shares";
import { UpstreamHolds, type Pass } from "./upstream-holds";
import { defaultIssuances, limitOf, limitWindowMs, type Operation } from "./upstream-operation";

/** What Azure allows, and with how many gateways it is shared. */
export interface BudgetOptions {
  /** Whose limits they are, if there may be several on one Redis: a name that all its gateways have for it. */
  readonly resource?: string;
  /** Issuances per window; the other operations' limits are in proportion. */
  readonly issuances: number;
  /** In milliseconds. */
  readonly windowMs: number;
  /** How many gateways share the limit: while Redis is away each keeps to its share. */
  readonly replicas: number;
}

/** Azure's limits for a gateway that is alone. */
export const defaultBudget: BudgetOptions = {
  issuances: defaultIssuances,
  windowMs: limitWindowMs,
  replicas: 1,
};

/** Who asks for a turn. */
export interface TurnRequest {
  /** The longest that the caller waits, in milliseconds. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Leaves half of the limit to the others, and does not wait. */
  readonly background?: boolean | undefined;
  /** Who is to have no more than his share; undefined: nobody in particular. */
  readonly account?: string | undefined;
  readonly span?: Span | undefined;
}

/**
 * How much longer than Azure's our window is. Requests are counted when they get their turn and by Azure when they
 * arrive; one that was slow and one that is quick are that much closer there.
 */
const margin = 1.03;

/** How a budget stands. */
export interface BudgetReading {
  /** Requests in a window that it keeps to now. */
  readonly limit: number;
  /** What is left of it. */
  readonly remaining: number;
  /** Callers here that wait for their turn. */
  readonly queued: number;
}

/** The turns of one operation. */
class OperationBudget {
  private readonly own: SlidingWindow;
  private readonly shared: SharedWindow | undefined;
  /** Of callers. */
  private readonly shares: UpstreamShares;
  private readonly limit: number;
  private readonly share: number;
  private readonly windowMs: number;
  private readonly name: string;
  /** Until then the shared window does not know of all that was given out. */
  private aloneUntil = -Infinity;
  /** Before then there is no turn for anybody, as far as was told: who cannot wait for it need not ask. */
  private noTurnBefore = -Infinity;
  /** Callers that wait. */
  queued = 0;

  constructor(
    operation: Operation,
    options: BudgetOptions,
    redis: Pick<RedisConnection, "script" | "pairScript"> | undefined,
    private readonly events: Pick<Events, "budgetUnavailable"> | undefined,
  ) {
    this.windowMs = Math.ceil(options.windowMs * margin);
    this.name = options.resource === undefined ? operation : `${options.resource}:${operation}`;
    this.limit = limitOf(operation, options.issuances);
    this.share = Math.max(1, Math.floor(this.limit / (redis ? options.replicas : 1)));
    this.own = new SlidingWindow(this.windowMs, this.limit);
    this.shared = redis && new SharedWindow(redis, this.windowMs);
    this.shares = new UpstreamShares(this.name, this.limit, this.windowMs, options.replicas, this.shared);
  }

  /** How it stands, of all gateways while Redis can be asked. Never rejects. */
  async reading(): Promise<BudgetReading> {
    const { queued } = this;
    const shared =
      performance.now() < this.aloneUntil
        ? undefined
        : await this.shared?.used(this.name).catch(() => undefined);
    const [limit, used] =
      shared === undefined ? [this.share, this.own.used(performance.now())] : [this.limit, shared];
    return { limit, remaining: Math.max(0, limit - used), queued };
  }

  /** Waits for a turn. Rejects with the signal's reason. */
  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (ms <= 0) return;
    this.queued++;
    try {
      await sleep(ms, signal);
    } finally {
      this.queued--;
    }
  }

  async reserve(patienceMs: number, background: boolean, span?: Span): Promise<Turn> {
    const now = performance.now();
    const knownMs = this.noTurnBefore - now;
    if (knownMs > patienceMs) return { granted: false, waitMs: knownMs };
    const turn = await (now < this.aloneUntil
      ? this.reserveInBoth(now, patienceMs, background, span)
      : this.reserveShared(now, patienceMs, background, span));
    if (!background) this.remember(turn);
    return turn;
  }

  /**
   * The turn of an account among its own, and with it the one among all where one question can ask for both: neither
   * is taken for nothing then.
   */
  async enter(account: string, patienceMs: number, isHeld: boolean, span?: Span): Promise<Entry> {
    const now = performance.now();
    const together = !isHeld && now >= this.aloneUntil && this.noTurnBefore - now <= patienceMs;
    const entry = await this.shares.enter(account, patienceMs, together, span);
    if (!entry.amongAll) return entry;
    const { isPlenty } = entry.amongAll;
    const amongAll = this.checked(entry.amongAll, this.patienceAmongAll(entry, patienceMs));
    this.remember(amongAll);
    return { ...entry, amongAll: { ...amongAll, isPlenty } };
  }

  /** The longest that who has entered waits among all. */
  patienceAmongAll({ big }: Entry, patienceMs: number): number {
    return big ? Math.min(patienceMs, this.shares.shortQueueMs) : patienceMs;
  }

  /** Turns only become later. Those of the background are later than others' are, and tell nothing of them. */
  private remember(turn: Turn): void {
    if (!turn.granted) this.noTurnBefore = Math.max(this.noTurnBefore, performance.now() + turn.waitMs);
  }

  private async reserveShared(
    now: number,
    patienceMs: number,
    background: boolean,
    span: Span | undefined,
  ): Promise<Turn> {
    const shared = await this.ask(patienceMs, background, span);
    return shared ? this.checked(shared, patienceMs) : this.reserveOwn(now, patienceMs, background);
  }

  private checked(shared: Turn, patienceMs: number): Turn {
    if (!shared.granted) return shared;
    // The wait begins now, so this is when the turn is used.
    const now = performance.now();
    // A shared window that was lost begins empty; what this gateway itself has sent it remembers.
    const waitMs = Math.max(shared.waitMs, this.own.earliest(now, this.limit) - now);
    if (waitMs > patienceMs) return { granted: false, waitMs };
    this.own.note(now + waitMs);
    return { granted: true, waitMs };
  }

  /** Keeps to the own share, and tells the shared window all the same, so that it soon knows of everything again. */
  private async reserveInBoth(
    now: number,
    patienceMs: number,
    background: boolean,
    span: Span | undefined,
  ): Promise<Turn> {
    const own = this.reserveOwn(now, patienceMs, background);
    if (!own.granted) return own;
    const shared = await this.ask(patienceMs, background, span);
    if (!shared) return own;
    return { granted: shared.granted, waitMs: Math.max(own.waitMs, shared.waitMs) };
  }

  private reserveOwn(now: number, patienceMs: number, background: boolean): Turn {
    return this.own.reserve(now, background ? this.share / 2 : this.share, patienceMs);
  }

  private async ask(
    patienceMs: number,
    background: boolean,
    span: Span | undefined,
  ): Promise<Turn | undefined> {
    for (const end = performance.now() + patienceMs; ;) {
      try {
        const limit = background ? Math.max(1, Math.floor(this.limit / 2)) : this.limit;
        return await this.shared?.reserve(this.name, { limit, patienceMs, span });
      } catch (error) {
        const reason = reasonOf(error);
        // Redis may have given the turn, and too late said so: to take one of our own as well would be one too many.
        // The heartbeat soon tells one that is slow from one that is away.
        if (reason === "TIMEOUT" && performance.now() < end) continue;
        this.events?.budgetUnavailable(reason);
        this.aloneUntil = performance.now() + this.windowMs;
        return undefined;
      }
    }
  }
}

/** One budget per operation, as Azure has one limit per operation. */
export class UpstreamBudget {
  private readonly budgets: Readonly<Record<Operation, OperationBudget>>;
  private readonly holds = new UpstreamHolds();

  constructor(
    options: BudgetOptions = defaultBudget,
    redis?: Pick<RedisConnection, "script" | "pairScript">,
    events?: Pick<Events, "budgetUnavailable">,
  ) {
    const budget = (operation: Operation) => new OperationBudget(operation, options, redis, events);
    this.budgets = {
      createIdentity: budget("createIdentity"),
      createIdentityWithToken: budget("createIdentityWithToken"),
      issueToken: budget("issueToken"),
      revokeTokens: budget("revokeTokens"),
      deleteIdentity: budget("deleteIdentity"),
      exchangeTeamsToken: budget("exchangeTeamsToken"),
    };
  }

  /** How the budget of each operation stands. Never rejects. */
  readings(): Promise<readonly (BudgetReading & { readonly operation: Operation })[]> {
    const all = Object.entries(this.budgets) as [Operation, OperationBudget][];
    return Promise.all(all.map(async ([operation, budget]) => ({ operation, ...(await budget.reading()) })));
  }

  /**
   * Resolves when it is the caller's turn to send; the caller tells the pass what became of it, and disposes of it.
   * Rejects with `RATE_LIMITED` as soon as it is known that the caller cannot wait, or with the signal's reason.
   */
  async turn(operation: Operation, request: TurnRequest): Promise<Pass> {
    const { patienceMs, signal, background = false, account, span } = request;
    const end = performance.now() + (background ? 0 : patienceMs);
    const budget = this.budgets[operation];
    let queueMs = Infinity;
    let amongAll: Turn | undefined;
    if (account !== undefined && !background) {
      const isHeld = this.holds.has(operation);
      const entry = await budget.enter(account, patienceMs, isHeld, span);
      if (!entry.granted) throw rateLimited(entry.waitMs);
      await budget.wait(entry.waitMs, signal);
      queueMs = budget.patienceAmongAll(entry, Infinity);
      ({ amongAll } = entry);
    }
    for (;;) {
      const leftMs = Math.max(0, end - performance.now());
      const pass = this.holds.enter(operation, leftMs);
      if (typeof pass === "number") {
        // The turn is taken afterwards: all those who wait here would use turns of now at one time then.
        await budget.wait(pass, signal);
        // Azure has refused others meanwhile. One that was had before that is of the past by now.
        amongAll = undefined;
        continue;
      }
      try {
        const { granted, waitMs } =
          amongAll ?? (await budget.reserve(Math.min(leftMs, queueMs), background, span));
        amongAll = undefined;
        if (!granted) throw rateLimited(waitMs);
        await budget.wait(waitMs, signal);
        if (pass.go()) return pass;
      } catch (error) {
        pass[Symbol.dispose]();
        throw error;
      }
    }
  }
}
