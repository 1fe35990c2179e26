/** One call to Azure from its turn to its last attempt: the one owner of retries, all within one deadline. */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors";
import type { Clock } from "../clock";
import { startDeadline } from "../deadline";
import type { Events } from "../telemetry/events";
import type { CallOptions } from "./identity-provider";
import type { UpstreamBreaker } from "./upstream-breaker";
import type { UpstreamBudget } from "./upstream-budget";
import { UpstreamFailure } from "./upstream-error";
import type { Operation } from "./upstream-operation";

/** Sends one request with the SDK. */
export type Send<T> = (options: { abortSignal: AbortSignal }) => Promise<T>;

/** How patient a call is. */
export interface Patience {
  /** The most attempts; 1 for what must not be repeated. */
  readonly attempts: number;
  /** All of it, in milliseconds. */
  readonly deadlineMs: number;
  /** How long it may wait for its turn, in milliseconds. */
  readonly turnMs: number;
}

const firstBackoffMs = 100;
/** One attempt may take this share of the deadline, so that a hanging first one leaves time for a second. */
const attemptShare = 0.45;

/** Sends within budget, breaker and deadline. */
export class UpstreamCalls {
  constructor(
    private readonly budget: UpstreamBudget,
    private readonly breaker: UpstreamBreaker,
    private readonly clock: Clock,
    private readonly events: Pick<Events, "upstreamCall">,
  ) {}

  /** Throws {@link UpstreamFailure}, or a `GatewayError` when nothing was sent: budget used up, circuit open. */
  async run<T>(operation: Operation, call: CallOptions, patience: Patience, send: Send<T>): Promise<T> {
    using deadline = startDeadline(patience.deadlineMs, call.signal);
    const cancel = deadline.signal;
    const end = performance.now() + patience.deadlineMs;
    const attemptMs =
      patience.attempts === 1 ? patience.deadlineMs : Math.ceil(patience.deadlineMs * attemptShare);
    let last: UpstreamFailure | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const turnMs = call.background ? 0 : Math.min(patience.turnMs, end - performance.now());
        await this.breaker.ready(operation, turnMs, cancel);
        await this.turn(operation, call, patience, cancel, end);
        return await this.breaker.run(operation, () =>
          this.attempt(operation, attempt, attemptMs, cancel, call.signal, send),
        );
      } catch (error) {
        // A retry that was not let through adds nothing to what the attempt before it has told.
        if (error instanceof GatewayError) throw last ?? error;
        last = this.failure(error, call.signal);
        if (cancel.aborted || !last.retryable || attempt === patience.attempts) throw last;
        const waitMs = last.retryAfterMs ?? Math.random() * firstBackoffMs * 2 ** attempt;
        if (performance.now() + waitMs >= end) throw last;
        const failure = last;
        await sleep(waitMs, undefined, { signal: cancel }).catch(() => {
          throw failure;
        });
      }
    }
  }

  private failure(error: unknown, caller: AbortSignal | undefined): UpstreamFailure {
    if (error instanceof UpstreamFailure) return error;
    return new UpstreamFailure(error, this.clock.now(), caller?.aborted ?? false);
  }

  private async turn(
    operation: Operation,
    { background }: CallOptions,
    { turnMs }: Patience,
    signal: AbortSignal,
    end: number,
  ): Promise<void> {
    const patienceMs = Math.max(0, Math.min(turnMs, end - performance.now()));
    await this.budget.turn(operation, { patienceMs, signal, background });
  }

  /** Throws {@link UpstreamFailure}. */
  private async attempt<T>(
    operation: Operation,
    attempt: number,
    attemptMs: number,
    cancel: AbortSignal,
    caller: AbortSignal | undefined,
    send: Send<T>,
  ): Promise<T> {
    // Whoever waited for others' probe may have given up meanwhile.
    if (cancel.aborted) throw new UpstreamFailure(cancel.reason, this.clock.now(), true);
    const startedAt = performance.now();
    const durationMs = () => performance.now() - startedAt;
    try {
      using patience = startDeadline(attemptMs, cancel);
      const answer = await send({ abortSignal: patience.signal });
      this.budget.over(operation, true);
      this.events.upstreamCall({ operation, attempt, outcome: "ok", durationMs: durationMs() });
      return answer;
    } catch (error) {
      const failure = this.failure(error, caller);
      if (failure.status === 429) this.budget.refused(operation, failure.retryAfterMs);
      else this.budget.over(operation, failure.status !== undefined && failure.status < 500);
      this.tell(operation, attempt, durationMs(), failure);
      throw failure;
    }
  }

  private tell(operation: Operation, attempt: number, durationMs: number, failure: UpstreamFailure): void {
    const { status, code, requestId } = failure;
    this.events.upstreamCall({
      operation,
      attempt,
      outcome: "failed",
      durationMs,
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
}
