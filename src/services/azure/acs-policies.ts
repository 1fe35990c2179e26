/** How calls to ACS are paced, retried and given up. The one owner of retries: the SDK's own are off. */
import {
  bulkhead,
  ConsecutiveBreaker,
  CountBreaker,
  ExponentialBackoff,
  handleWhen,
  TaskCancelledError,
  retry,
  timeout,
  TimeoutStrategy,
  wrap,
  type IPolicy,
} from "cockatiel";
import type { GatewayError } from "../../errors";
import { startDeadline } from "../deadline";
import type { RedisConnection } from "../redis/redis-connection";
import { sleep } from "../sleep";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import { acsUnavailable, rateLimited, wholeSeconds } from "./acs-errors";
import { Circuit } from "./circuit";
import { RateLimiter, type RateLimitReading, type RateLimits } from "./rate-limiter";
import { UpstreamFailure } from "./upstream-failure";
import type { Operation } from "./upstream-operation";

/** Of the breaker: half of the last 20 attempts, and at least 5 of them. */
const evidence = { threshold: 0.5, size: 20, minimumNumberOfCalls: 5 };
/** How long the breaker stays open: the first time, the second … and from the last on, in milliseconds. */
const breakerPausesMs = [1_000, 2_000, 4_000, 8_000, 15_000];
/** A pause of the breaker that is no longer than this is waited out. */
const breakerPatienceMs = 1_000;
/** How long calls are paused after a 429 without a Retry-After to believe: the first time, the second … in milliseconds. */
const gatePausesMs = [0, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
/** Timers are early by a millisecond now and then. */
const timerSlackMs = 2;
/** Pauses before the second and the third attempt, with jitter, in milliseconds. */
const backoff = new ExponentialBackoff({ initialDelay: 100, maxDelay: 400 });
/** One attempt may take this share of the deadline, so that a hanging first one leaves time for a second. */
const attemptShare = 0.45;

/** Whose call it is, and how patient it is. */
export interface CallTerms {
  /** The most attempts; 1 for what must not be repeated. */
  readonly attempts: number;
  /** All of it, in milliseconds. */
  readonly deadlineMs: number;
  /** How long after its beginning an attempt may start at the latest, in milliseconds. */
  readonly startMs: number;
  /** After so many milliseconds without an answer ACS is in trouble, though the answer is still listened for. */
  readonly overdueMs?: number;
  /** Nobody waits for it. */
  readonly background?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly span?: Span | undefined;
}

/** How the calls of an operation stand. */
export interface UpstreamReading extends RateLimitReading {
  readonly operation: Operation;
  readonly circuitOpen: boolean;
}

/** Sends one request; rejects with an {@link UpstreamFailure}. `attempt` counts from 1. */
export type Attempt<T> = (signal: AbortSignal, attempt: number) => Promise<T>;

interface OperationPolicies {
  readonly limiter: RateLimiter;
  /** Opens when ACS is in trouble: no answer, 408, 5xx, an answer that makes no sense. */
  readonly breaker: Circuit;
  /** Opens when ACS refuses with 429 although there was a permit, for as long as its Retry-After says. */
  readonly retryAfterGate: Circuit;
  /** Half of the connections at most, so that an operation whose answers hang leaves some to the others. */
  readonly slots: IPolicy;
}

/**
 * The policies of one resource, each operation with its own: a revocation is not shut out by issuances that fail. From
 * the outside in: deadline, retries, rate limiter, free connection, circuits, timeout of the attempt.
 */
export class AcsPolicies {
  private readonly all: ReadonlyMap<Operation, OperationPolicies>;

  constructor(
    maxConnections: number,
    limits: RateLimits,
    redis: Pick<RedisConnection, "script"> | undefined,
    /** What the resource is called in events. */
    private readonly resource: string,
    private readonly events: Pick<Events, "upstreamCircuit" | "budgetUnavailable">,
  ) {
    const connections = bulkhead(maxConnections, Infinity);
    const half = () => wrap(bulkhead(Math.max(1, Math.floor(maxConnections / 2)), Infinity), connections);
    // Both ways to create hold a connection for up to a minute: they share their half.
    const forCreates = half();
    const policies = (operation: Operation, slots: IPolicy = half()) =>
      [
        operation,
        {
          limiter: new RateLimiter(operation, limits, redis, events),
          breaker: this.breaker(operation),
          retryAfterGate: retryAfterGate(),
          slots,
        },
      ] as const;
    this.all = new Map([
      policies("createIdentity", forCreates),
      policies("createIdentityWithToken", forCreates),
      policies("issueToken"),
      policies("revokeTokens"),
      policies("deleteIdentity"),
      policies("exchangeTeamsToken"),
    ]);
  }

  /** How the calls of each operation stand. Never rejects. */
  readings(): Promise<readonly UpstreamReading[]> {
    return Promise.all(
      [...this.all].map(async ([operation, { limiter, breaker }]) => ({
        operation,
        ...(await limiter.reading()),
        circuitOpen: breaker.isOpen,
      })),
    );
  }

  /** Whether ACS keeps failing, so that calls of some operation are paused. */
  get isFailing(): boolean {
    return [...this.all.values()].some(({ breaker }) => breaker.isFailing);
  }

  /** Rejects with the last {@link UpstreamFailure}, or with a `GatewayError` when nothing was sent. */
  async run<T>(operation: Operation, terms: CallTerms, send: Attempt<T>): Promise<T> {
    const policies = this.all.get(operation);
    if (!policies) throw new Error(`There is no operation ${operation}.`);
    const { attempts, deadlineMs, startMs } = terms;
    using deadline = startDeadline(deadlineMs, terms.signal);
    const { signal } = deadline;
    const startBy = performance.now() + startMs;
    let last: UpstreamFailure | undefined;
    const isWorthAnother = (error: unknown) => {
      // A retry that was not let through adds nothing to what the attempt before it has told.
      if (error instanceof UpstreamFailure) last = error;
      return error === last && last?.retryable === true && !signal.aborted && performance.now() < startBy;
    };
    const retries = retry(handleWhen(isWorthAnother), { maxAttempts: attempts - 1, backoff });
    try {
      return await untilAborted(
        signal,
        retries.execute(({ attempt }) =>
          this.attempt(policies, terms, startBy, signal, (own) => send(own, attempt + 1)),
        ),
      );
    } catch (error) {
      throw error instanceof UpstreamFailure ? error : (last ?? error);
    }
  }

  private async attempt<T>(
    { limiter, breaker, retryAfterGate: gate, slots }: OperationPolicies,
    { deadlineMs, overdueMs, background, span }: CallTerms,
    startBy: number,
    signal: AbortSignal,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const leftMs = () => Math.max(0, startBy - performance.now());
    const patienceMs = () => (background ? 0 : leftMs());
    const refusal = () => rateLimited(gate.pauseMs);
    await paused(breaker, Math.min(patienceMs(), breakerPatienceMs), signal, () => circuitOpen(breaker));
    // The permit is taken afterwards: all those who wait here would use permits of now at one time then.
    await paused(gate, patienceMs(), signal, refusal);
    await limiter.acquire({ patienceMs: patienceMs(), signal, background, span });
    return inSlot(slots, leftMs(), signal, async () => {
      await paused(gate, patienceMs(), signal, refusal);
      let answer: Promise<T> | undefined;
      const sendInTime = () => {
        if (overdueMs === undefined) {
          const attemptTimeout = timeout(Math.ceil(deadlineMs * attemptShare), TimeoutStrategy.Cooperative);
          return attemptTimeout.execute((attempt) => send(attempt.signal), signal);
        }
        const sent = (answer = send(signal));
        return timeout(overdueMs, TimeoutStrategy.Aggressive).execute(() => sent);
      };
      const sendThroughGate = () => gate.run(sendInTime, refusal);
      try {
        return await breaker.run(sendThroughGate, () => circuitOpen(breaker));
      } catch (error) {
        // Overdue, but whoever created an identity must be told its id.
        if (answer && error instanceof TaskCancelledError) return answer;
        throw error;
      }
    });
  }

  private breaker(operation: Operation): Circuit {
    return new Circuit({
      countsAgainst: (error) =>
        error instanceof TaskCancelledError || (error instanceof UpstreamFailure && error.speaksAgainstAcs),
      breaker: new CountBreaker(evidence),
      pauseMs: (attempt) => nth(breakerPausesMs, attempt),
      onChange: (state) => {
        this.events.upstreamCircuit({ resource: this.resource, operation, state });
      },
    });
  }
}

function retryAfterGate(): Circuit {
  return new Circuit({
    countsAgainst: (error) => error instanceof UpstreamFailure && error.status === 429,
    breaker: new ConsecutiveBreaker(1),
    pauseMs: (attempt, error) =>
      (error instanceof UpstreamFailure ? error.believedRetryAfterMs : undefined) ??
      nth(gatePausesMs, attempt),
  });
}

/** Waits until the circuit's pause is over. Throws `refusal()` when that is too long. */
async function paused(
  circuit: Circuit,
  patienceMs: number,
  signal: AbortSignal,
  refusal: () => GatewayError,
): Promise<void> {
  const { pauseMs } = circuit;
  if (pauseMs > patienceMs) throw refusal();
  if (pauseMs > 0) await sleep(pauseMs + timerSlackMs, signal);
}

/** Runs `work` when a connection is free, if that is within `patienceMs`. */
async function inSlot<T>(
  slots: IPolicy,
  patienceMs: number,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  using patience = startDeadline(patienceMs, signal);
  let isFree = false;
  const done = slots.execute(async () => {
    patience.signal.throwIfAborted();
    isFree = true;
    return work();
  });
  return await untilAborted(patience.signal, done, () => {
    if (isFree) return undefined;
    return signal.aborted ? (signal.reason as Error) : allConnectionsBusy();
  });
}

/** The outcome of `work`, or a rejection as soon as the signal aborts and there is a reason. */
function untilAborted<T>(
  signal: AbortSignal,
  work: Promise<T>,
  reason: () => Error | undefined = () => signal.reason as Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      const error = reason();
      if (error) reject(error);
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    void work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}

function circuitOpen(circuit: Circuit): GatewayError {
  return acsUnavailable("keeps failing; calls are paused briefly", {
    retryAfterSeconds: wholeSeconds(circuit.pauseMs),
    hadNoEffect: true,
  });
}

function allConnectionsBusy(): GatewayError {
  return acsUnavailable("is slow, and every connection to it is waiting for an answer", {
    retryAfterSeconds: 1,
    hadNoEffect: true,
  });
}

function nth(pausesMs: readonly number[], attempt: number): number {
  return pausesMs[Math.min(attempt, pausesMs.length) - 1] ?? 0;
}
