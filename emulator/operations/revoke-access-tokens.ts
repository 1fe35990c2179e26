/** POST /identities/{id}/:revokeAccessTokens: ends every token issued so far. */
import type { Operation } from "./operation";

/** 204. */
export const revokeAccessTokens: Operation = (call, { identities }) => {
  identities.revoke(call.resource, call.identityId);
  return { status: 204 };
};
