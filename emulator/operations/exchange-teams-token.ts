/** POST /teamsUser/:exchangeAccessToken: an ACS token for a Teams user's Entra token. */
import { invalid, RestError, unbound } from "../rest-error";
import type { Operation } from "./operation";
import { issueFor } from "./token-request";

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** 200 with a token that ends with the Entra token. The token is checked before the ids. */
export const exchangeTeamsToken: Operation = async (call, parts) => {
  const { token, appId, userId } = call.body;
  const user = typeof token === "string" ? parts.entra.readTeamsToken(token) : undefined;
  if (!user) throw new RestError(401, "InvalidAccessToken", "Provided access token is not valid.");
  const checkedAppId = checkedGuid(appId, "AppId");
  const checkedUserId = checkedGuid(userId, "UserId");
  if (checkedAppId !== user.clientId.toLowerCase())
    throw invalid("AAD application is not the expected one.", "appId");
  if (checkedUserId !== user.userObjectId.toLowerCase()) {
    throw invalid("Provided AAD token issued for unexpected user.", "userId");
  }
  const lifetimeMs = user.expiresOn - parts.settings.clock();
  return {
    status: 200,
    body: await issueFor(`8:orgid:${user.userObjectId}`, ["chat", "voip"], lifetimeMs, call, parts),
  };
};

function checkedGuid(value: unknown, name: "AppId" | "UserId"): string {
  if (typeof value !== "string" || value === "")
    throw unbound(`${name}: The ${name} field is required.`, name);
  if (!guid.test(value)) {
    const target = name === "AppId" ? "appId" : "userId";
    throw invalid(`Provided ${name} has invalid format.`, target);
  }
  return value.toLowerCase();
}
