/** The scopes that ACS knows, in its own spelling, and their canonical order. */

/**
 * ACS's scopes (learn.microsoft.com/azure/communication-services/concepts/identity-model). `chat.join` is `chat`
 * without making or deleting threads, `chat.join.limited` also without changing who takes part; `voip.join` is
 * `voip` without starting calls.
 */
export const tokenScopes = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"] as const;

/** One of {@link tokenScopes}. */
export type TokenScope = (typeof tokenScopes)[number];

/** A set of scopes as bits, in the order of {@link tokenScopes}: 0 to 31. */
export function scopesToBits(scopes: readonly TokenScope[]): number {
  return scopes.reduce((bits, scope) => bits | (1 << tokenScopes.indexOf(scope)), 0);
}

/** The scopes of a set of bits, sorted and unique. */
export function bitsToScopes(bits: number): TokenScope[] {
  return tokenScopes.filter((_, index) => (bits & (1 << index)) !== 0);
}
