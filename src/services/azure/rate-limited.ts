/** The error of a caller for whom Azure's limit has no room in time. */
import { GatewayError } from "../../errors";

/** `RATE_LIMITED`, with the wait in whole seconds. */
export function rateLimited(waitMs: number): GatewayError {
  return new GatewayError(
    "RATE_LIMITED",
    "Azure Communication Services limits how often this resource may be asked, and the limit is used up.",
    { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) },
  );
}
