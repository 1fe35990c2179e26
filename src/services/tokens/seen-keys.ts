/** Of which keys this process has seen a token, and what to expect of others: whether it is worth while to look for one. */
import { scopesToBits } from "./token-scope";
import type { TokenKey } from "./token-key";

/** Of the table, in bits: with a million keys in it one in seventeen others is taken for seen. */
const size = 2 ** 24;
/** What tells identities apart is at the end of their ids. */
const hashed = 16;
/** How many keys count that were not seen before, and the part of them that must have had no token for the next to be taken for new. */
const [counting, mostly] = [64, 3 / 4];

/**
 * A table of bits by a hash of each key (Bloom 1970, with one hash), of which nothing is ever taken out: 2 MB at the
 * most, which the system gives when they are first written to. A wrong guess costs time, and nothing else.
 *
 * A key that is not in it is most likely new where identities are, and most likely not where this process is.
 */
export class SeenKeys {
  private readonly bits = new Uint32Array(size / 32);
  /** A moving average. */
  private newPart = 0;

  /** Whether keys that were not seen had no token lately. */
  get othersAreNew(): boolean {
    return this.newPart > mostly;
  }

  has(key: TokenKey): boolean {
    const place = placeOf(key);
    return ((this.bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;
  }

  /**
   * @param hadToken whether there was one for the key; undefined: that says nothing of others. Of all who asked for a key
   * at one time the first to be answered is heard, so that many for one do not pass for many.
   */
  add(key: TokenKey, hadToken?: boolean): void {
    if (this.has(key)) return;
    const place = placeOf(key);
    if (hadToken !== undefined) this.newPart += ((hadToken ? 0 : 1) - this.newPart) / counting;
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
