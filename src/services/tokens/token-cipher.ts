/** AES-256-GCM with a key ring: the first key seals, every key opens. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { KeyRing } from "./key-ring";

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
  /** The ring may change between any two values. */
  constructor(private readonly ring: KeyRing) {}

  /** The sealed form of `plain`, which opens only with the same `name`. */
  seal(plain: Buffer, name: string): Buffer {
    const [key] = this.ring.current();
    if (!key) throw new Error("A key ring has at least one key.");
    const id = Buffer.from(key.id);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", key.secret, nonce).setAAD(Buffer.from(name));
    const text = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.of(id.length), id, nonce, cipher.getAuthTag(), text]);
  }

  /** What was sealed, or undefined when it was cut, forged, moved to another name, or sealed by an unknown key. */
  open(sealed: Buffer, name: string): Buffer | undefined {
    const idEnd = 1 + (sealed[0] ?? 0);
    const tagStart = idEnd + nonceBytes;
    const textStart = tagStart + tagBytes;
    const id = sealed.toString("latin1", 1, idEnd);
    const secret = this.ring.current().find((key) => key.id === id)?.secret;
    if (!secret || sealed.length < textStart) return undefined;
    try {
      const decipher = createDecipheriv("aes-256-gcm", secret, sealed.subarray(idEnd, tagStart), {
        authTagLength: tagBytes,
      })
        .setAAD(Buffer.from(name))
        .setAuthTag(sealed.subarray(tagStart, textStart));
      const plain = decipher.update(sealed.subarray(textStart));
      // Checks the tag; of text GCM has nothing left (NIST SP 800-38D is a stream).
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}
