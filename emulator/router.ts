/** From a raw request to its operation: which path, who signed, which version, how often. */
import type { Call, Operation, Parts } from "./operations/operation";
import { checkedVersion } from "./api-versions";
import { verify, type SignedRequest } from "./hmac";
import { createIdentity } from "./operations/create-identity";
import { deleteIdentity } from "./operations/delete-identity";
import { exchangeTeamsToken } from "./operations/exchange-teams-token";
import { issueAccessToken } from "./operations/issue-access-token";
import { revokeAccessTokens } from "./operations/revoke-access-tokens";
import type { Resource } from "./identities";
import { denied, notOwned, unbound } from "./rest-error";

/** The operations by name; `createIdentityWithToken` is counted and limited apart, as Azure does. */
export type OperationName =
  | "createIdentity"
  | "createIdentityWithToken"
  | "issueAccessToken"
  | "revokeAccessTokens"
  | "deleteIdentity"
  | "exchangeTeamsToken";

/** A request whose path belongs to ACS. */
export interface Route {
  readonly name: OperationName;
  readonly run: Operation;
  /** The id as it stands in the path, percent-encoded. */
  readonly rawIdentityId: string;
}

/** The route of a raw request, or undefined when ACS has none. The path is not decoded: the signature is over it. */
export function routeOf(method: string, target: string, body: Buffer): Route | undefined {
  const [path = ""] = target.split("?");
  // An endpoint that ends with a slash gives `//identities` in some SDKs.
  const [first, second = "", action, more] = path.replace(/^\/+|\/$/g, "").split("/");
  if (more !== undefined) return undefined;
  if (method === "POST" && first === "identities" && second === "") {
    const withToken = body.includes("createTokenWithScopes") && asksForToken(body);
    return {
      name: withToken ? "createIdentityWithToken" : "createIdentity",
      run: createIdentity,
      rawIdentityId: "",
    };
  }
  if (method === "POST" && first === "teamsUser" && second === ":exchangeAccessToken") {
    return { name: "exchangeTeamsToken", run: exchangeTeamsToken, rawIdentityId: "" };
  }
  if (first !== "identities" || second === "") return undefined;
  if (method === "DELETE" && action === undefined) {
    return { name: "deleteIdentity", run: deleteIdentity, rawIdentityId: second };
  }
  if (method === "POST" && action === ":issueAccessToken") {
    return { name: "issueAccessToken", run: issueAccessToken, rawIdentityId: second };
  }
  if (method === "POST" && action === ":revokeAccessTokens") {
    return { name: "revokeAccessTokens", run: revokeAccessTokens, rawIdentityId: second };
  }
  return undefined;
}

/** Who signed: an access key of a resource, or over TLS an application with an Entra token. Throws 401 `Denied`. */
export function authenticate(
  request: SignedRequest,
  secure: boolean,
  { settings, identities, entra }: Parts,
): { readonly resource: Resource; readonly credential: string } {
  const { authorization } = request.headers;
  const bearer = typeof authorization === "string" ? /^Bearer (\S+)$/.exec(authorization)?.[1] : undefined;
  if (bearer !== undefined) {
    if (!secure) throw denied();
    entra.checkBearer(bearer);
    return { resource: identities.resource(), credential: "entra" };
  }
  const key = verify(request, identities.keys(), settings.clock(), settings.clockSkewMs);
  return { resource: key.resource, credential: key.id };
}

/** Everything that an operation needs to know of the request. Throws 400. */
export function callOf(
  route: Route,
  request: SignedRequest,
  secure: boolean,
  who: { readonly resource: Resource; readonly credential: string },
): Call {
  const [path = "", query = ""] = request.target.split("?");
  const resource = `${secure ? "https" : "http"}://${request.host}${path}`;
  return {
    ...who,
    apiVersion: checkedVersion(route.name, resource, query),
    body: jsonBody(request.body),
    identityId: decoded(route.rawIdentityId),
  };
}

function asksForToken(body: Buffer): boolean {
  const scopes = jsonObject(body)?.createTokenWithScopes;
  return Array.isArray(scopes) && scopes.length > 0;
}

function jsonBody(body: Buffer): Record<string, unknown> {
  const value = body.length === 0 ? {} : jsonObject(body);
  if (!value) throw unbound("The request body is not valid JSON.", "body");
  return value;
}

/** The JSON object that a body holds; undefined when it holds none. */
export function jsonObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function decoded(rawId: string): string {
  try {
    return decodeURIComponent(rawId);
  } catch {
    throw notOwned();
  }
}
