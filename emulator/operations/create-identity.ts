/** POST /identities: makes an identity, and a token for it when scopes are given. */
import { invalid } from "../rest-error";
import type { Operation } from "./operation";
import { checkedMinutes, checkedScopes, issueFor } from "./token-request";

/** 201 with the identity, and the token if `createTokenWithScopes` names scopes. */
export const createIdentity: Operation = async (call, parts) => {
  const { createTokenWithScopes: wanted, expiresInMinutes } = call.body;
  const minutes = checkedMinutes(expiresInMinutes, call, parts);
  const none = wanted === undefined || wanted === null || (Array.isArray(wanted) && wanted.length === 0);
  if (none) {
    if (Array.isArray(wanted) && parts.settings.refuseEmptyCreateScopes) {
      throw invalid("Invalid scopes - Scopes field is required.", "scopes");
    }
    return { status: 201, body: { identity: { id: parts.identities.create(call.resource) } } };
  }
  const scopes = checkedScopes(wanted, call, parts);
  const id = parts.identities.create(call.resource);
  const accessToken = await issueFor(id, scopes, minutes * 60_000, call, parts);
  return { status: 201, body: { identity: { id }, accessToken } };
};
