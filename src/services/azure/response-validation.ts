/** Checks of what Azure answers, before it is believed: the SDK passes on whatever a 2xx carries. */
import type { GatewayError } from "../../errors";
import { isIdentityId } from "../identities/identity-id";
import { acsUnavailable } from "./acs-errors";
import type { IssuedToken } from "./identity-provider";

/** How much the answer's clock may run ahead of ours, in milliseconds. */
const skewMs = 5 * 60_000;

/** The identity's id out of an answer. Throws `UPSTREAM_UNAVAILABLE` when there is no sensible one. */
export function checkedIdentityId(id: unknown): string {
  if (typeof id !== "string" || !isIdentityId(id)) throw unusable("no identity id");
  return id;
}

/**
 * The token out of an answer, with the earlier of `expiresOn` and the token's own `exp` (whole seconds). Throws
 * `UPSTREAM_UNAVAILABLE` when there is no token, or its end is missing, past, or later than asked for.
 */
export function checkedToken(
  answer: { readonly token?: unknown; readonly expiresOn?: unknown },
  nowMs: number,
  longestMs: number,
): IssuedToken {
  const { token, expiresOn } = answer;
  if (typeof token !== "string" || token === "") throw unusable("no token");
  if (!(expiresOn instanceof Date) || Number.isNaN(expiresOn.getTime())) throw unusable("no expiry");
  const end = Math.min(expiresOn.getTime(), expiryOfJwt(token) ?? Infinity);
  if (end <= nowMs) throw unusable("an expired token");
  if (end > nowMs + longestMs + skewMs) throw unusable("a token that lives longer than asked for");
  return { token, expiresOn: end };
}

/** The `exp` claim in milliseconds (RFC 7519 §4.1.4), or undefined when the token is not a JWT that has one. */
function expiryOfJwt(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

function unusable(what: string): GatewayError {
  return acsUnavailable(`answered with ${what}`);
}
