/** Checks what a token is asked for, with ACS's texts, and issues it. */
import { issue, type IssuedToken } from "../access-token";
import { invalid, unbound } from "../rest-error";
import type { Call, Parts } from "./operation";

const scopesSince: Readonly<Record<string, string>> = {
  chat: "2021-03-07",
  voip: "2021-03-07",
  "chat.join": "2023-10-01",
  "chat.join.limited": "2023-10-01",
  "voip.join": "2023-10-01",
};
const lifetimeSince = "2022-10-01";
const defaultMinutes = 1440;

/** The scopes as they were sent. Throws 400 for none and for unknown ones. */
export function checkedScopes(value: unknown, { apiVersion }: Call, { settings }: Parts): string[] {
  if (value === undefined || value === null) throw unbound("Scopes: The Scopes field is required.", "Scopes");
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid("Invalid scopes - Scopes field is required.", "scopes");
  }
  const scopes = value.map(String);
  for (const scope of scopes) {
    const since = scopesSince[scope];
    const known = since !== undefined && (!settings.strictVersions || apiVersion >= since);
    if (!known && settings.refuseUnknownScopes)
      throw invalid(`Invalid scopes - Scope '${scope}' is not supported.`, "scopes");
  }
  return scopes;
}

/** The lifetime in minutes. Throws 400 out of [60, 1440]; api-versions that had no such field ignore it. */
export function checkedMinutes(value: unknown, { apiVersion }: Call, { settings }: Parts): number {
  if (value === undefined || value === null) return defaultMinutes;
  if (settings.strictVersions && apiVersion < lifetimeSince) return defaultMinutes;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 60 || value > 1440) {
    throw invalid(
      `ExpiresInMinutes value ${JSON.stringify(value)} is invalid. Value must be within the [60, 1440] interval.`,
      "ExpiresInMinutes",
    );
  }
  return value;
}

/** A token for an identity, issued by whoever signed the request. */
export function issueFor(
  identityId: string,
  scopes: readonly string[],
  lifetimeMs: number,
  { resource, credential }: Call,
  { identities, key, settings }: Parts,
): Promise<IssuedToken> {
  const origin = { sequence: identities.next(), issuedAt: settings.clock(), credential };
  return issue(key, { identityId, resourceId: resource.id, scopes, lifetimeMs, origin });
}
