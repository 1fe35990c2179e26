/** Faults on demand: which request fails how, a number of times or with a seeded probability. */
import { mistakeIn } from "./fault-mistakes";

/** What goes wrong with one request. `before` faults leave the emulator's state as it was, `after` faults do not. */
export type FaultKind =
  /** Answers with `status` and `body` instead of working. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Record<string, string>;
    }
  /** Works after `latencyMs` more. */
  | { readonly kind: "latency"; readonly latencyMs: number }
  /** Works at once, and answers `latencyMs` later. */
  | { readonly kind: "answerLate"; readonly latencyMs: number }
  /** Never answers. */
  | { readonly kind: "hang" }
  /** Works and never answers. */
  | { readonly kind: "hangAfter" }
  /** Cuts the connection before working. */
  | { readonly kind: "resetBefore" }
  /** Works, then cuts the connection. */
  | { readonly kind: "resetAfter" }
  /** Works, then cuts the connection in the middle of the body. */
  | { readonly kind: "resetInBody" }
  /** Works, and answers with another success status (default 202). */
  | { readonly kind: "wrongSuccess"; readonly status?: number }
  /** Works, and leaves `expiresOn` out. */
  | { readonly kind: "missingExpiresOn" }
  /** Works, and answers with half of its JSON. */
  | { readonly kind: "malformedJson" }
  /** A gateway's HTML page, status 502. */
  | { readonly kind: "html502" }
  /** "Provided identity doesn't exist.", as seen just after a create during an incident. */
  | { readonly kind: "identityGone" };

/** A fault, and the requests that it meets. */
export type Fault = FaultKind & {
  /** The operation that it meets; every one when left out. */
  readonly operation?: string;
  /** Meets this many requests, then ends. Default: no end. */
  readonly times?: number;
  /** Meets a request with this probability, 0 to 1. Default 1. */
  readonly probability?: number;
};

/** The faults in force; the first that meets a request counts. */
export class Faults {
  private active: { readonly fault: Fault; left: number }[] = [];
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  /** Puts a fault in force. Throws `RangeError` for one that is not what {@link Fault} says. */
  add(fault: Fault): void {
    const mistake = mistakeIn(fault);
    if (mistake !== undefined) throw new RangeError(mistake);
    this.active.push({ fault, left: fault.times ?? Infinity });
  }

  clear(): void {
    this.active = [];
  }

  list(): Fault[] {
    return this.active.map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, times: left } : fault));
  }

  /** The fault that meets this request, if one does. */
  meet(operation: string): Fault | undefined {
    const entry = this.active.find(
      ({ fault }) =>
        (fault.operation === undefined || fault.operation === operation) &&
        (fault.probability === undefined || this.random() < fault.probability),
    );
    if (!entry) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.active = this.active.filter((each) => each !== entry);
    return entry.fault;
  }
}

/** A small generator with a seed (Tommy Ettinger's mulberry32): good enough to decide faults, and repeatable. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
