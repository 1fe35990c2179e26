/** Keeps the gateways' requests under Azure's limits: gives turns, refuses early what would wait too long. */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors";
import type { RedisConnection } from "../redis/redis-connection";
import { SharedWindow } from "./shared-window";
import { SlidingWindow, type Turn } from "./sliding-window";
import { defaultIssuances, limitOf, limitWindowMs, type Operation } from "./upstream-operation";

/** What Azure allows, and with how many gateways it is shared. */
export interface BudgetOptions {
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
}

/**
 * How much longer than Azure's our window is. Requests are counted when they get their turn and by Azure when they
 * arrive; one that was slow and one that is quick are that much closer there.
 */
const margin = 1.03;
/** A Retry-After beyond this is not Azure's window, and not taken at its word: an hour would be an outage of our own making. */
const longestWordMs = 60_000;
/** Without a word to go by, one request at a time finds out, after these pauses in milliseconds. */
const probePausesMs = [0, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** Azure has refused although there was a turn. */
interface Hold {
  /** Until then nobody asks. */
  readonly until: number;
  /** What Azure said, for the callers. */
  readonly toldUntil: number;
  /** From `until` on, one at a time asks, until one is let through. */
  readonly byProbes: boolean;
  /** How often Azure has refused in a row. */
  readonly refusals: number;
  probing: boolean;
}

/** The turns of one operation. */
class OperationBudget {
  private readonly own: SlidingWindow;
  private readonly shared: SharedWindow | undefined;
  private readonly limit: number;
  private readonly share: number;
  private readonly windowMs: number;
  /** When a turn was last given without the others' knowledge. */
  private aloneAt = -Infinity;

  constructor(
    operation: Operation,
    options: BudgetOptions,
    redis: Pick<RedisConnection, "script"> | undefined,
  ) {
    this.windowMs = Math.ceil(options.windowMs * margin);
    this.limit = limitOf(operation, options.issuances);
    this.share = Math.max(1, Math.floor(this.limit / (redis ? options.replicas : 1)));
    this.own = new SlidingWindow(this.windowMs, this.limit);
    this.shared = redis && new SharedWindow(redis, operation, this.limit, this.windowMs);
  }

  async reserve(patienceMs: number, background: boolean): Promise<Turn> {
    const now = performance.now();
    // What was done without the others' knowledge is not in the shared window: keep to the share until it is past.
    const shared = now - this.aloneAt > this.windowMs ? await this.ask(patienceMs, background) : undefined;
    if (!shared) {
      const turn = this.own.reserve(now, background ? this.share / 2 : this.share, patienceMs);
      if (this.shared && turn.granted) this.aloneAt = now;
      return turn;
    }
    if (shared.granted) this.own.note(now + shared.waitMs);
    return shared;
  }

  private async ask(patienceMs: number, background: boolean): Promise<Turn | undefined> {
    try {
      return await this.shared?.reserve(patienceMs, background);
    } catch {
      // The connection's heartbeat tells that Redis is away; here it only means to keep to the own share.
      return undefined;
    }
  }
}

/** One budget per operation, as Azure has one limit per operation. */
export class UpstreamBudget {
  private readonly budgets: Readonly<Record<Operation, OperationBudget>>;
  private readonly holds = new Map<Operation, Hold>();

  constructor(options: BudgetOptions = defaultBudget, redis?: Pick<RedisConnection, "script">) {
    const budget = (operation: Operation) => new OperationBudget(operation, options, redis);
    this.budgets = {
      createIdentity: budget("createIdentity"),
      createIdentityWithToken: budget("createIdentityWithToken"),
      issueToken: budget("issueToken"),
      revokeTokens: budget("revokeTokens"),
      deleteIdentity: budget("deleteIdentity"),
      exchangeTeamsToken: budget("exchangeTeamsToken"),
    };
  }

  /**
   * Resolves when it is the caller's turn to send. Rejects with `RATE_LIMITED` at once when that is later than the
   * caller can wait, or with the signal's reason.
   */
  async turn(operation: Operation, request: TurnRequest): Promise<void> {
    const patienceMs = request.background ? 0 : request.patienceMs;
    const heldMs = this.held(operation, patienceMs);
    const { granted, waitMs } = await this.budgets[operation].reserve(
      Math.max(0, patienceMs - heldMs),
      request.background ?? false,
    );
    if (!granted) {
      this.over(operation, false);
      throw rateLimited(waitMs);
    }
    const ms = Math.max(heldMs, waitMs);
    if (ms > 0) await sleep(ms, undefined, request.signal ? { signal: request.signal } : {});
  }

  /** Azure refused a request although it had its turn: others use the resource, or its limit is lower. */
  refused(operation: Operation, retryAfterMs: number | undefined): void {
    const now = performance.now();
    const refusals = this.holds.get(operation)?.refusals ?? 0;
    const byProbes = retryAfterMs === undefined || retryAfterMs > longestWordMs;
    const pauseMs = probePausesMs[Math.min(refusals, probePausesMs.length - 1)] ?? 0;
    this.holds.set(operation, {
      until: now + (byProbes ? pauseMs : retryAfterMs),
      toldUntil: now + (retryAfterMs ?? pauseMs),
      byProbes,
      refusals: refusals + 1,
      probing: false,
    });
  }

  /** A request was over, and not refused: `answered` when Azure has let it through. */
  over(operation: Operation, answered: boolean): void {
    const hold = this.holds.get(operation);
    if (!hold) return;
    if (answered) this.holds.delete(operation);
    else hold.probing = false;
  }

  /** How long Azure's word must be waited for. Throws `RATE_LIMITED` when that is longer than the caller can wait. */
  private held(operation: Operation, patienceMs: number): number {
    const hold = this.holds.get(operation);
    if (!hold) return 0;
    const now = performance.now();
    const waitMs = Math.max(0, hold.until - now);
    if (!hold.byProbes && waitMs <= patienceMs) return waitMs;
    if (!hold.byProbes || waitMs > 0 || hold.probing)
      throw rateLimited(Math.max(waitMs, hold.toldUntil - now));
    hold.probing = true;
    return 0;
  }
}

function rateLimited(waitMs: number): GatewayError {
  return new GatewayError(
    "RATE_LIMITED",
    "Azure Communication Services limits how often this resource may be asked, and the limit is used up.",
    { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) },
  );
}
