/** The operations of ACS Identity, and how often Azure lets a resource call each. */

/** What is asked of Azure. */
export type Operation =
  | "createIdentity"
  | "createIdentityWithToken"
  | "issueToken"
  | "revokeTokens"
  | "deleteIdentity"
  | "exchangeTeamsToken";

/**
 * Requests per 30 seconds and resource (ACS documentation, service limits). Azure raises them on request, all
 * together as far as is known, so they are told as shares of the first.
 */
const per30Seconds: Readonly<Record<Operation, number>> = {
  issueToken: 1_000,
  createIdentity: 1_000,
  createIdentityWithToken: 1_000,
  revokeTokens: 500,
  deleteIdentity: 500,
  exchangeTeamsToken: 500,
};

/** The window of Azure's limits, in milliseconds. */
export const limitWindowMs = 30_000;
/** Azure's limit of issuances in that window, unless it was raised. */
export const defaultIssuances = per30Seconds.issueToken;

/** The limit of an operation where that of issuances is `issuances`. */
export function limitOf(operation: Operation, issuances: number): number {
  return Math.max(1, Math.floor((per30Seconds[operation] / per30Seconds.issueToken) * issuances));
}
