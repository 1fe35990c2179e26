/** What became of a create at Azure: an identity, certainly none, or nobody knows. */
import { GatewayError, type ErrorCode } from "../../errors";
import type { IssuedToken } from "../azure/identity-provider";

/** How a create ended. */
export type CreateOutcome =
  | { readonly kind: "made"; readonly identityId: string; readonly token: IssuedToken | undefined }
  /** Azure has made an identity that cannot be handed out, for its token is not usable. */
  | { readonly kind: "unusable"; readonly identityId: string; readonly error: unknown }
  | { readonly kind: "nothing"; readonly error: unknown }
  | { readonly kind: "unknown"; readonly error: unknown };

/** Azure, or the gateway before it, has refused: nothing was made. */
const refusals: readonly ErrorCode[] = ["BAD_USER_INPUT", "RATE_LIMITED", "UPSTREAM_REJECTED"];

/** An error that says more than its code: `madeNothing` when the request was certainly never processed. */
interface TellingError {
  readonly madeNothing?: unknown;
}

/** How a create ended that has failed with `error`, after Azure had or had not named an identity. */
export function failedCreate(error: unknown, identityId: string | undefined): CreateOutcome {
  if (identityId !== undefined) return { kind: "unusable", identityId, error };
  if (!(error instanceof GatewayError)) return { kind: "unknown", error };
  const nothing = refusals.includes(error.code) || (error as TellingError).madeNothing === true;
  return { kind: nothing ? "nothing" : "unknown", error };
}
