/** What a fault is. */

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
