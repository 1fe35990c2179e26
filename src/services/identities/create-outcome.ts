/** What became of a create at Azure: an identity, certainly none, or nobody knows. */
import type { IssuedToken } from "../azure/identity-provider";
import { madeNothing } from "../azure/made-nothing";

/** How a create ended. */
export type CreateOutcome =
  | { readonly kind: "made"; readonly identityId: string; readonly token: IssuedToken | undefined }
  /** Azure has made an identity that cannot be handed out, for its token is not usable. */
  | { readonly kind: "unusable"; readonly identityId: string; readonly error: unknown }
  | { readonly kind: "nothing"; readonly error: unknown }
  | { readonly kind: "unknown"; readonly error: unknown };

/** How a create ended that has failed with `error`, after Azure had or had not named an identity. */
export function failedCreate(error: unknown, identityId: string | undefined): CreateOutcome {
  if (identityId !== undefined) return { kind: "unusable", identityId, error };
  return { kind: madeNothing(error) ? "nothing" : "unknown", error };
}
