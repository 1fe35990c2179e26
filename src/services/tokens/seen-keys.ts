/** Of which keys this process has seen a token: a guess whether it is worth while to look for one. */
import { scopesToBits } from "./token-scope";
import type { TokenKey } from "./token-key";

/** Of the table, in bits: with a million keys in it one in fifteen others is taken for seen. */
const size = 2 ** 24;
/** What tells identities apart is at the end of their ids. */
const hashed = 16;

/**
 * A table of bits by a hash of each key (Bloom 1970, with one hash), of which nothing is ever taken out: 2 MB at the
 * most, which the system gives when they are first written to. A wrong guess costs time, and nothing else.
 */
export class SeenKeys {
  private readonly bits = new Uint32Array(size / 32);

  has(key: TokenKey): boolean {
    const place = placeOf(key);
    return ((this.bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;
  }

  add(key: TokenKey): void {
    const place = placeOf(key);
    this.bits[place >>> 5] = (this.bits[place >>> 5] ?? 0) | (1 << (place & 31));
  }
}

/** FNV-1a. */
function placeOf({ identityId, scopes, lifetimeMinutes }: TokenKey): number {
  let hash = 0x811c9dc5;
  for (let index = Math.max(0, identityId.length - hashed); index < identityId.length; index++) {
    hash = Math.imul(hash ^ identityId.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ scopesToBits(scopes), 0x01000193);
  hash = Math.imul(hash ^ lifetimeMinutes, 0x01000193);
  // The high bits of FNV are the better ones.
  return (hash ^ (hash >>> 15)) & (size - 1);
}
