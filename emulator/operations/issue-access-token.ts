/** POST /identities/{id}/:issueAccessToken: issues a token; those issued before stay good. */
import type { Operation } from "./operation";
import { checkedMinutes, checkedScopes, issueFor } from "./token-request";

/** 200 with the token. */
export const issueAccessToken: Operation = async (call, parts) => {
  const scopes = checkedScopes(call.body.scopes, call, parts);
  const minutes = checkedMinutes(call.body.expiresInMinutes, call, parts);
  const { id } = parts.identities.find(call.resource, call.identityId);
  return { status: 200, body: await issueFor(id, scopes, minutes * 60_000, call, parts) };
};
