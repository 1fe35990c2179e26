/** AES-256-GCM with a key ring: the first key seals, every key opens. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** A key of the ring. */
export interface EncryptionKey {
  /** 1 to 16 letters, digits, `-` or `_`; stands in clear before each value that it sealed. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Buffer;
}

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals values so that only a holder of the key ring can read them, and only under the name that they were sealed
 * for (the associated data). Each value has a fresh random 96-bit nonce (NIST SP 800-38D §8.2.2), good for 2^32
 * values a key: rotate keys before that.
 *
 * Layout: 1 byte length of key id, key id, 12 bytes nonce, 16 bytes tag, ciphertext.
 */
export class TokenCipher {
  private readonly byId: ReadonlyMap<string, Buffer>;
  private readonly sealing: { readonly header: Buffer; readonly secret: Buffer };

  /** `keys` has at least one key. To rotate: add the new key at the end everywhere, then move it first, then drop the old. */
  constructor(keys: readonly EncryptionKey[]) {
    const [first] = keys;
    if (!first) throw new Error("TokenCipher needs at least one key.");
    this.byId = new Map(keys.map((key) => [key.id, key.secret]));
    const id = Buffer.from(first.id);
    this.sealing = { header: Buffer.concat([Buffer.of(id.length), id]), secret: first.secret };
  }

  /** The sealed form of `plain`, which opens only with the same `name`. */
  seal(plain: Buffer, name: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.sealing.secret, nonce).setAAD(Buffer.from(name));
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([this.sealing.header, nonce, cipher.getAuthTag(), text]);
  }

  /** What was sealed, or undefined when it was cut, forged, moved to another name, or sealed by an unknown key. */
  open(sealed: Buffer, name: string): Buffer | undefined {
    const idEnd = 1 + (sealed[0] ?? 0);
    const tagStart = idEnd + nonceBytes;
    const textStart = tagStart + tagBytes;
    const secret = this.byId.get(sealed.toString("latin1", 1, idEnd));
    if (!secret || sealed.length < textStart) return undefined;
    try {
      const decipher = createDecipheriv("aes-256-gcm", secret, sealed.subarray(idEnd, tagStart), {
        authTagLength: tagBytes,
      })
        .setAAD(Buffer.from(name))
        .setAuthTag(sealed.subarray(tagStart, textStart));
      return Buffer.concat([decipher.update(sealed.subarray(textStart)), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}
