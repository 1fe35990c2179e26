/** How a create at ACS ended: with an identity, certainly without one, or nobody knows. */
import type { IssuedToken } from "../azure/identity-provider";
import { hadNoEffect } from "../azure/create-failure";

export type CreateOutcome =
  | { readonly kind: "created"; readonly identityId: string; readonly token: IssuedToken | undefined }
  /** ACS created an identity, but its token is not usable. */
  | { readonly kind: "unusable"; readonly identityId: string; readonly error: unknown }
  | { readonly kind: "nothing"; readonly error: unknown }
  | { readonly kind: "unknown"; readonly error: unknown };

/** The outcome of a create that failed with `error`, after ACS had or had not named an identity. */
export function failedCreate(error: unknown, identityId: string | undefined): CreateOutcome {
  if (identityId !== undefined) return { kind: "unusable", identityId, error };
  return { kind: hadNoEffect(error) ? "nothing" : "unknown", error };
}
