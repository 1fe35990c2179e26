/** Cockatiel's circuit breaker, which also says how long it stays open and when it changes. */
import {
  circuitBreaker,
  CircuitState,
  DelegateBackoff,
  handleWhen,
  isBrokenCircuitError,
  type CircuitBreakerPolicy,
  type IBreaker,
} from "cockatiel";
import { UpstreamFailure } from "./upstream-failure";

/** How a circuit opens and closes. */
export interface CircuitOptions {
  /** Which errors count against ACS. */
  readonly countsAgainst: (error: unknown) => boolean;
  /** How many of them open it. */
  readonly breaker: IBreaker;
  /** How long it stays open for the `attempt`th time in a row, from 1, after `error`, in milliseconds. */
  readonly pauseMs: (attempt: number, error: unknown) => number;
  readonly onChange?: (state: "open" | "closed") => void;
}

/** A circuit that nobody has tried for so long after its pause says nothing of today, in milliseconds. */
const staleMs = 60_000;

/** Closed, open for a pause, then half-open: one call is the probe, and the others wait for its outcome. */
export class Circuit {
  private readonly policy: CircuitBreakerPolicy;
  private openUntil = -Infinity;

  constructor({ countsAgainst, breaker, pauseMs, onChange }: CircuitOptions) {
    // A probe that was never sent, or given up before its answer, has not shown that ACS works.
    const provesNothing = (error: unknown) =>
      this.policy.state === CircuitState.HalfOpen && (!(error instanceof UpstreamFailure) || error.cancelled);
    this.policy = circuitBreaker(
      handleWhen((error) => countsAgainst(error) || provesNothing(error)),
      {
        breaker,
        halfOpenAfter: new DelegateBackoff(({ attempt, result }) => {
          const ms = pauseMs(attempt, "error" in result ? result.error : undefined);
          this.openUntil = performance.now() + ms;
          return ms;
        }),
      },
    );
    this.policy.onStateChange((state) => {
      if (state === CircuitState.Open) onChange?.("open");
      if (state === CircuitState.Closed) onChange?.("closed");
    });
  }

  /** Open, or half-open: it has not proved yet that it may close. */
  get isOpen(): boolean {
    return this.policy.state !== CircuitState.Closed;
  }

  /** Open, or was until lately, and no call has succeeded since. */
  get isFailing(): boolean {
    return this.isOpen && this.openUntil > performance.now() - staleMs;
  }

  /** Milliseconds until a probe may be sent; 0 when one may be sent now. */
  get pauseMs(): number {
    return this.policy.state === CircuitState.Open ? Math.max(0, this.openUntil - performance.now()) : 0;
  }

  /** Sends, unless it is open. Rejects as `send` does, or with `refusal()`. */
  async run<T>(send: () => Promise<T>, refusal: () => Error): Promise<T> {
    try {
      return await this.policy.execute(send);
    } catch (error) {
      throw isBrokenCircuitError(error) ? refusal() : error;
    }
  }
}
