/** Faults on demand: which request fails how, a number of times or with a seeded probability. */
import { limitPer30Seconds } from "./rate-limits";

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

const kinds: Readonly<Record<FaultKind["kind"], true>> = {
  status: true,
  latency: true,
  answerLate: true,
  hang: true,
  hangAfter: true,
  resetBefore: true,
  resetAfter: true,
  resetInBody: true,
  wrongSuccess: true,
  missingExpiresOn: true,
  malformedJson: true,
  html502: true,
  identityGone: true,
};

/** What is wrong with a fault that came as JSON; undefined when it is one. */
function mistakeIn(fault: Fault): string | undefined {
  const { kind, operation, times, probability } = fault;
  if (!Object.hasOwn(kinds, kind)) return `kind is one of ${Object.keys(kinds).join(", ")}.`;
  if (operation !== undefined && limitPer30Seconds[operation] === undefined)
    return `operation is one of ${Object.keys(limitPer30Seconds).join(", ")}.`;
  if (times !== undefined && !(Number.isInteger(times) && times > 0))
    return "times is a whole number from 1.";
  if (probability !== undefined && !(probability >= 0 && probability <= 1))
    return "probability is a number from 0 to 1.";
  if ((kind === "latency" || kind === "answerLate") && !(fault.latencyMs >= 0))
    return "latencyMs is a number of milliseconds.";
  if (kind === "status" && !isStatus(fault.status)) return "status is a whole number from 200 to 599.";
  if (kind === "wrongSuccess" && fault.status !== undefined && !isStatus(fault.status))
    return "status is a whole number from 200 to 599.";
  return undefined;
}

function isStatus(status: unknown): boolean {
  return Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599;
}

/** The faults in force; the first that meets a request counts. */
export class Faults {
  private active: { readonly fault: Fault; left: number }[] = [];
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  /** Puts a fault in force. Throws `RangeError` for one that could never be met. */
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
