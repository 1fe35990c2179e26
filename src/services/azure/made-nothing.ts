/** What an error tells of what was asked for: that it was certainly not done, and how soon it can be. */
import { GatewayError, type ErrorCode } from "../../errors";

/** Azure, or the gateway before it, has refused: nothing was made. */
const refusals: readonly ErrorCode[] = ["BAD_USER_INPUT", "RATE_LIMITED", "UPSTREAM_REJECTED"];

/** An error that says more than its code: `madeNothing` when the request was certainly never processed. */
interface TellingError {
  readonly madeNothing?: unknown;
}

/** Whether Azure has certainly made nothing of a create that failed so. */
export function madeNothing(error: unknown): error is GatewayError {
  if (!(error instanceof GatewayError)) return false;
  return refusals.includes(error.code) || (error as TellingError).madeNothing === true;
}

/** What tells a caller most that is worth to come back for: the first of these codes, and of one code the soonest. */
const hopes: readonly ErrorCode[] = ["RATE_LIMITED", "UPSTREAM_UNAVAILABLE"];

/** Of the errors of several resources the one to tell the caller. At least one. */
export function mostHopeful(errors: readonly unknown[]): unknown {
  const rank = (error: unknown) => {
    const hope = error instanceof GatewayError ? hopes.indexOf(error.code) : -1;
    return hope === -1 ? hopes.length : hope;
  };
  return [...errors].sort((a, b) => rank(a) - rank(b) || waitSeconds(a) - waitSeconds(b))[0];
}

/** How long the error asks to wait, in seconds; `Infinity` when it does not say. */
export function waitSeconds(error: unknown): number {
  return (error instanceof GatewayError ? error.extensions.retryAfterSeconds : undefined) ?? Infinity;
}
