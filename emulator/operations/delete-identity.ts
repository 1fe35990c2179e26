/** DELETE /identities/{id}: deletes an identity and ends its tokens. */
import type { Operation } from "./operation";

/** 204. */
export const deleteIdentity: Operation = (call, { identities }) => {
  identities.delete(call.resource, call.identityId);
  return { status: 204 };
};
