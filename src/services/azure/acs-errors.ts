/** The errors of calls that ACS has no room or no answer for. */
import { GatewayError } from "../../errors";

/** What an error of {@link acsUnavailable} says beside its message. */
export interface Unavailability {
  /** Whole seconds after which it is worth another try. */
  readonly retryAfterSeconds?: number;
  /** The request was certainly never processed. */
  readonly hadNoEffect?: boolean;
}

/** `UPSTREAM_UNAVAILABLE`. */
export class AcsUnavailable extends GatewayError {
  /** The request was certainly never processed. */
  readonly hadNoEffect: boolean;

  constructor(what: string, { retryAfterSeconds, hadNoEffect = false }: Unavailability) {
    const data = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    super("UPSTREAM_UNAVAILABLE", `Azure Communication Services ${what}. Try again later.`, data);
    this.hadNoEffect = hadNoEffect;
  }
}

/** `UPSTREAM_UNAVAILABLE`: ACS `what`, such as "did not answer in time". The one place that builds this error. */
export function acsUnavailable(what: string, facts: Unavailability = {}): AcsUnavailable {
  return new AcsUnavailable(what, facts);
}

/** `RATE_LIMITED`, for a caller for whom the limit of ACS has no room in time; the wait is told in whole seconds. */
export function rateLimited(waitMs: number): GatewayError {
  return new GatewayError(
    "RATE_LIMITED",
    "Azure Communication Services limits how often this resource may be called, and the limit is used up.",
    { retryAfterSeconds: wholeSeconds(waitMs) },
  );
}

/** At least one. */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
