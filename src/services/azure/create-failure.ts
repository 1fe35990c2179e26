/** What a failed create tells: that it had no effect, and how soon another try is worth it. */
import { GatewayError, type ErrorCode } from "../../errors";
import { AcsUnavailable } from "./acs-errors";

/** ACS, or the gateway before it, has refused: nothing was created. */
const refusals: readonly ErrorCode[] = ["BAD_USER_INPUT", "RATE_LIMITED", "UPSTREAM_REJECTED"];
/** What gives callers most reason to come back: the first of these codes, and of one code the soonest. */
const hopes: readonly ErrorCode[] = ["RATE_LIMITED", "UPSTREAM_UNAVAILABLE"];

/** Whether ACS has certainly created nothing. */
export function hadNoEffect(error: unknown): error is GatewayError {
  if (error instanceof AcsUnavailable) return error.hadNoEffect;
  return error instanceof GatewayError && refusals.includes(error.code);
}

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
