/** Identity, canonical scopes, lifetime and issuing credential: the one key under which a token is cached. */
import { badInput } from "../../errors";
import { bitsToScopes, scopesToBits, type TokenScope } from "./token-scope";

/** The range and default of a token's lifetime in minutes, as ACS accepts them (api-version 2022-10-01 and later). */
export const lifetimeMinutes = { min: 60, max: 1440, default: 1440 } as const;

/**
 * What a cached token is for. Two requests share a token only when all of it is equal: a token with more scopes or a
 * longer life than asked for is more than the caller asked for, and one made with another access key dies when that
 * key is rotated. The resource needs no field: it is part of the identity's id.
 */
export interface TokenKey {
  readonly identityId: string;
  /** Sorted and unique. */
  readonly scopes: readonly TokenScope[];
  /** Whole minutes, 60 to 1440. */
  readonly lifetimeMinutes: number;
  /** Fingerprint of the credential that issues. */
  readonly credential: string;
  /** All but the identity, short: names the token among those of its identity. */
  readonly field: string;
  /** All of it: names the token among all. */
  readonly text: string;
}

/** Throws `BAD_USER_INPUT` unless `minutes` is a whole number from 60 to 1440. */
export function checkLifetime(minutes: number, argument = "input.expiresInMinutes"): number {
  if (!Number.isInteger(minutes) || minutes < lifetimeMinutes.min || minutes > lifetimeMinutes.max) {
    throw badInput(
      argument,
      `expiresInMinutes must be a whole number from ${lifetimeMinutes.min} to ${lifetimeMinutes.max}, got ${minutes}.`,
    );
  }
  return minutes;
}

/** The scopes as a set: sorted, unique. Throws `BAD_USER_INPUT` when there is none. */
export function canonicalScopes(
  scopes: readonly TokenScope[],
  argument = "input.scopes",
): readonly TokenScope[] {
  const canonical = bitsToScopes(scopesToBits(scopes));
  if (canonical.length === 0) {
    throw badInput(argument, "scopes must name at least one scope, for example [CHAT, VOIP].");
  }
  return canonical;
}

/** The key for a token; the arguments must have been checked. */
export function tokenKey(
  identityId: string,
  scopes: readonly TokenScope[],
  minutes: number,
  credential: string,
): TokenKey {
  const field = `${scopesToBits(scopes)}.${minutes}.${credential}`;
  return { identityId, scopes, lifetimeMinutes: minutes, credential, field, text: `${identityId} ${field}` };
}

/** The key that `field` of an identity stands for, or undefined when it is no such field. */
export function tokenKeyOfField(identityId: string, field: string): TokenKey | undefined {
  const [, bits, minutes, credential] = /^(\d{1,2})\.(\d{2,4})\.([\w-]{1,64})$/.exec(field) ?? [];
  if (credential === undefined) return undefined;
  const key = tokenKey(identityId, bitsToScopes(Number(bits)), Number(minutes), credential);
  return key.field === field && key.scopes.length > 0 ? key : undefined;
}
