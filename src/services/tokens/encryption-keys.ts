/** The text form of a ring of encryption keys, as the environment and the key file have it. */
import { createSecretKey, type KeyObject } from "node:crypto";
import type { Meaning } from "../watched-file";

/** A key of the ring. */
export interface EncryptionKey {
  /** 1 to 16 letters, digits, `-` or `_`; stands in clear before each value that it sealed. */
  readonly id: string;
  /**
   * 32 bytes, as an object that never shows them by being printed. Bytes would have to be made one for each value that is
   * sealed or opened, which takes Node.js 24 three times as long as the sealing.
   */
  readonly secret: KeyObject;
}

/**
 * Reads `<key id>:<base64 of 32 bytes>`, several separated by commas or newlines; `#` begins a comment that lasts to the
 * end of its line. At least one, no id twice.
 */
export function parseEncryptionKeys(text: string): Meaning<readonly EncryptionKey[]> {
  const items = text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/(^|\s)#.*$/, ""))
    .flatMap((line) => line.split(","))
    .map((item) => item.trim());
  const keys = items
    .filter((item) => item !== "")
    .map((item) => {
      const [, id, secret] = /^([\w-]{1,16}):(.+)$/.exec(item) ?? [];
      return { id: id ?? "", secret: createSecretKey(secret ?? "", "base64") };
    });
  if (keys.length === 0 || keys.some((key) => key.id === "" || key.secret.symmetricKeySize !== 32)) {
    return {
      problem: "must be <key id>:<base64 of 32 bytes>, several separated by commas, the sealing key first",
    };
  }
  if (new Set(keys.map((key) => key.id)).size < keys.length) {
    return { problem: "must not use a key id twice" };
  }
  return { value: keys };
}

/** The id of a key that has another secret in `now` than in `before`: what is encrypted under it could not be decrypted. */
export function changedSecret(
  before: readonly EncryptionKey[],
  now: readonly EncryptionKey[],
): string | undefined {
  return now.find(({ id, secret }) => before.some((key) => key.id === id && !key.secret.equals(secret)))?.id;
}
