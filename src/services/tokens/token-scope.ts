/** The scopes that ACS knows, in its own spelling, and their canonical order. */

/**
 * ACS's scopes (learn.microsoft.com/azure/communication-services/concepts/identity-model). `chat.join` is `chat`
 * without making or deleting threads, `chat.join.limited` also without changing who takes part; `voip.join` is
 * `voip` without starting calls.
 */
export const tokenScopes = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"] as const;

/** One of {@link tokenScopes}. */
export type TokenScope = (typeof tokenScopes)[number];

const bitOf = new Map<string, number>(tokenScopes.map((scope, index) => [scope, 1 << index]));

/** Every set there is, by its bits. Sorted and unique; nobody may change one. */
const sets: readonly (readonly TokenScope[])[] = Array.from({ length: 1 << tokenScopes.length }, (_, bits) =>
  Object.freeze(tokenScopes.filter((_scope, index) => (bits & (1 << index)) !== 0)),
);

/** A set of scopes as bits, in the order of {@link tokenScopes}: 0 to 31. */
export function scopesToBits(scopes: readonly TokenScope[]): number {
  let bits = 0;
  for (const scope of scopes) bits |= bitOf.get(scope) ?? 0;
  return bits;
}

/** The scopes of a set of bits, sorted and unique. */
export function bitsToScopes(bits: number): readonly TokenScope[] {
  return sets[bits & (sets.length - 1)] ?? [];
}
