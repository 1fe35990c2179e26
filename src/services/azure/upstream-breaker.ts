/** Stops asking Azure while it fails, one circuit per operation, and tries again by itself. */
import { sleep } from "../sleep";
import {
  circuitBreaker,
  CircuitState,
  CountBreaker,
  handleWhen,
  isBrokenCircuitError,
  IterableBackoff,
} from "cockatiel";
import type { CircuitBreakerPolicy } from "cockatiel";
import type { Events } from "../telemetry/events";
import type { Operation } from "./upstream-operation";
import { AnswerOverdue, NothingSent, UpstreamFailure } from "./upstream-error";

/** For how long a circuit stays open, in milliseconds: the first time, the second … and from the last on. */
const openMs = [1_000, 2_000, 4_000, 8_000, 15_000];
/** A pause no longer than this is waited out. */
const shortPauseMs = 1_000;
/** What failed is forgotten when nobody has tried it for so long after it might have been tried, in milliseconds. */
const untriedMs = 60_000;
/** Timers are early by a millisecond now and then. */
const timerSlackMs = 5;
/** Half of the last 20 attempts, and at least 5 of them. */
const evidence = { threshold: 0.5, size: 20, minimumNumberOfCalls: 5 };

interface Circuit {
  readonly policy: CircuitBreakerPolicy;
  /** How often it has opened in a row. */
  opened: number;
  openUntil: number;
}

/**
 * Counts what says that Azure is in trouble: no answer, 408, 5xx, an answer that makes no sense. Not what it refuses
 * for good reason, nor what a caller gave up. One circuit per operation, so that a revocation is not shut out by
 * issuances that fail.
 */
export class UpstreamBreaker {
  private readonly circuits = new Map<Operation, Circuit>();

  constructor(
    /** What the resource is called in events. */
    private readonly resource: string,
    private readonly events: Pick<Events, "upstreamCircuit">,
  ) {}

  /** Whether the operation's circuit is open, or has not proved yet that it may close. */
  isOpen(operation: Operation): boolean {
    const state = this.circuits.get(operation)?.policy.state;
    return state === CircuitState.Open || state === CircuitState.HalfOpen;
  }

  /** Whether calls of some operation are held back, or were until just now, and none has gone well since. */
  get isHoldingBack(): boolean {
    const since = performance.now() - untriedMs;
    for (const { policy, openUntil } of this.circuits.values()) {
      if (policy.state !== CircuitState.Closed && openUntil > since) return true;
    }
    return false;
  }

  /**
   * Throws `UPSTREAM_UNAVAILABLE` while the circuit is open: nothing need be prepared for a request then. The first,
   * short pause is waited out instead by who can wait for `patienceMs`.
   */
  async ready(operation: Operation, patienceMs: number, signal: AbortSignal): Promise<void> {
    const circuit = this.circuits.get(operation);
    if (circuit?.policy.state !== CircuitState.Open) return;
    const leftMs = circuit.openUntil - performance.now();
    if (leftMs > Math.min(patienceMs, shortPauseMs)) throw shut(circuit);
    if (leftMs > 0) await sleep(leftMs + timerSlackMs, signal);
  }

  /** Sends, unless the circuit is open. Rejects as `send` does, or with `UPSTREAM_UNAVAILABLE`. */
  async run<T>(operation: Operation, send: () => Promise<T>): Promise<T> {
    const circuit = this.circuitOf(operation);
    try {
      return await circuit.policy.execute(send);
    } catch (error) {
      throw isBrokenCircuitError(error) ? shut(circuit) : error;
    }
  }

  private circuitOf(operation: Operation): Circuit {
    let circuit = this.circuits.get(operation);
    if (!circuit) {
      circuit = this.newCircuit(operation);
      this.circuits.set(operation, circuit);
    }
    return circuit;
  }

  private newCircuit(operation: Operation): Circuit {
    const policy: CircuitBreakerPolicy = circuitBreaker(
      // A probe that its caller gave up has not shown that Azure is well.
      handleWhen(
        (error) =>
          error instanceof AnswerOverdue ||
          (error instanceof UpstreamFailure &&
            (error.speaksAgainstAzure || (error.cancelled && policy.state === CircuitState.HalfOpen))),
      ),
      { halfOpenAfter: new IterableBackoff(openMs), breaker: new CountBreaker(evidence) },
    );
    const circuit: Circuit = { policy, opened: 0, openUntil: 0 };
    policy.onStateChange((state) => {
      if (state === CircuitState.Open) {
        const ms = openMs[Math.min(circuit.opened, openMs.length - 1)] ?? 0;
        circuit.opened += 1;
        circuit.openUntil = performance.now() + ms;
        this.events.upstreamCircuit({ resource: this.resource, operation, state: "open" });
      } else if (state === CircuitState.Closed) {
        circuit.opened = 0;
        this.events.upstreamCircuit({ resource: this.resource, operation, state: "closed" });
      }
    });
    return circuit;
  }
}

function shut({ openUntil }: Circuit): NothingSent {
  const seconds = Math.max(1, Math.ceil((openUntil - performance.now()) / 1000));
  return new NothingSent(
    "UPSTREAM_UNAVAILABLE",
    "Azure Communication Services has failed again and again, and is given a moment. Try again later.",
    { retryAfterSeconds: seconds },
  );
}
