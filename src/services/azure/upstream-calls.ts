/** One call to Azure from its turn to its last attempt: the one owner of retries, all within one deadline. */
import { sleep } from "../sleep";
import { GatewayError } from "../../errors";
import type { Clock } from "../clock";
import { startDeadline } from "../deadline";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import { azureCallOptions, type AzureCallOptions } from "./azure-tracing";
import type { CallOptions } from "./identity-provider";
import type { UpstreamBreaker } from "./upstream-breaker";
import type { BudgetReading, UpstreamBudget } from "./upstream-budget";
import type { UpstreamConnections } from "./upstream-connections";
import { AnswerOverdue, UpstreamFailure } from "./upstream-error";
import type { Pass } from "./upstream-holds";
import type { Operation } from "./upstream-operation";

/** Sends one request with the SDK. */
export type Send<T> = (options: AzureCallOptions) => Promise<T>;

/** How the calls of an operation stand. */
export interface UpstreamReading extends BudgetReading {
  readonly operation: Operation;
  /** Calls are held back, because Azure has failed again and again. */
  readonly circuitOpen: boolean;
}

/** How patient a call is. */
export interface Patience {
  /** The most attempts; 1 for what must not be repeated. */
  readonly attempts: number;
  /** All of it, in milliseconds. */
  readonly deadlineMs: number;
  /** How long after its beginning its turn may come at the latest, in milliseconds. */
  readonly turnMs: number;
  /** After this time without an answer Azure is not well, though the answer is still listened for. */
  readonly overdueMs?: number;
}

const firstBackoffMs = 100;
/** One attempt may take this share of the deadline, so that a hanging first one leaves time for a second. */
const attemptShare = 0.45;

/** Sends within budget, breaker and deadline. */
export class UpstreamCalls {
  constructor(
    private readonly connections: UpstreamConnections,
    private readonly budget: UpstreamBudget,
    private readonly breaker: UpstreamBreaker,
    private readonly clock: Clock,
    /** What the resource is called in events. */
    readonly resource: string,
    private readonly events: Pick<Events, "upstreamCall">,
  ) {}

  /** How the calls of each operation stand. Never rejects. */
  async readings(): Promise<readonly UpstreamReading[]> {
    const budgets = await this.budget.readings();
    return budgets.map((budget) => ({ ...budget, circuitOpen: this.breaker.isOpen(budget.operation) }));
  }

  /** Whether Azure has failed so often that it is given a moment. */
  get isHeldBack(): boolean {
    return this.breaker.isHoldingBack;
  }

  /** Throws {@link UpstreamFailure}, or a `GatewayError` when nothing was sent: budget used up, circuit open. */
  async run<T>(operation: Operation, call: CallOptions, patience: Patience, send: Send<T>): Promise<T> {
    call.account?.charge();
    using deadline = startDeadline(patience.deadlineMs, call.signal);
    const cancel = deadline.signal;
    const startedAt = performance.now();
    const end = startedAt + patience.deadlineMs;
    // One that comes later leaves no time to use it.
    const turnEnd = startedAt + patience.turnMs;
    const attemptMs =
      patience.attempts === 1 ? patience.deadlineMs : Math.ceil(patience.deadlineMs * attemptShare);
    let last: UpstreamFailure | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const { background, account, span } = call;
        const leftMs = () => (background ? 0 : Math.max(0, turnEnd - performance.now()));
        await this.breaker.ready(operation, leftMs(), cancel);
        const patienceMs = leftMs();
        const request = { patienceMs, signal: cancel, background, account: account?.id, span };
        using pass = await this.budget.turn(operation, request);
        const work = () =>
          this.watched(operation, patience.overdueMs, () =>
            this.attempt({ operation, attempt, attemptMs, cancel, caller: call.signal, pass, span }, send),
          );
        // What must not be repeated is not sent so late that nobody waits for it any more.
        const waitMs = patience.attempts === 1 ? leftMs() : Infinity;
        return await this.connections.run(operation, cancel, work, waitMs);
      } catch (error) {
        // A retry that was not let through adds nothing to what the attempt before it has told.
        if (error instanceof GatewayError) throw last ?? error;
        last = this.failure(error, call.signal);
        if (cancel.aborted || !last.retryable || attempt === patience.attempts) throw last;
        const waitMs = last.retryAfterMs ?? Math.random() * firstBackoffMs * 2 ** attempt;
        if (performance.now() + waitMs >= end) throw last;
        const failure = last;
        await sleep(waitMs, cancel).catch(() => {
          throw failure;
        });
      }
    }
  }

  private failure(error: unknown, caller: AbortSignal | undefined): UpstreamFailure {
    if (error instanceof UpstreamFailure) return error;
    return new UpstreamFailure(error, this.clock.now(), caller?.aborted ?? false);
  }

  /** The breaker hears of an answer that is overdue; the caller gets it when it comes. */
  private async watched<T>(
    operation: Operation,
    overdueMs: number | undefined,
    attempt: () => Promise<T>,
  ): Promise<T> {
    let sent: Promise<T> | undefined;
    try {
      return await this.breaker.run(operation, () => {
        sent = attempt();
        return overdueMs === undefined ? sent : notOverdue(sent, overdueMs);
      });
    } catch (error) {
      if (error instanceof AnswerOverdue && sent) return sent;
      throw error;
    }
  }

  /** Throws {@link UpstreamFailure}. */
  private async attempt<T>(
    { operation, attempt, attemptMs, cancel, caller, pass, span }: Attempt,
    send: Send<T>,
  ): Promise<T> {
    // Whoever waited for others' probe may have given up meanwhile.
    if (cancel.aborted) throw new UpstreamFailure(cancel.reason, this.clock.now(), true);
    const startedAt = performance.now();
    const durationMs = () => performance.now() - startedAt;
    try {
      using patience = startDeadline(attemptMs, cancel);
      const answer = await send(azureCallOptions(patience.signal, span));
      pass.answered();
      const { resource } = this;
      this.events.upstreamCall({ resource, operation, attempt, outcome: "ok", durationMs: durationMs() });
      return answer;
    } catch (error) {
      const failure = this.failure(error, caller);
      if (failure.status === 429) pass.refused(failure.retryAfterMs);
      else if (failure.letThrough) pass.answered();
      this.tell(operation, attempt, durationMs(), failure);
      throw failure;
    }
  }

  private tell(operation: Operation, attempt: number, durationMs: number, failure: UpstreamFailure): void {
    const { status, code, requestId, cancelled } = failure;
    this.events.upstreamCall({
      resource: this.resource,
      operation,
      attempt,
      outcome: "failed",
      durationMs,
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
      ...(cancelled ? { cancelled } : {}),
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
}

interface Attempt {
  readonly operation: Operation;
  /** Which one of its call, from 1. */
  readonly attempt: number;
  readonly attemptMs: number;
  readonly cancel: AbortSignal;
  readonly caller: AbortSignal | undefined;
  readonly pass: Pass;
  readonly span: Span | undefined;
}

async function notOverdue<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new AnswerOverdue());
    }, ms);
  });
  try {
    return await Promise.race([answer, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
