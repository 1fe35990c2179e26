/** API key → Caller, in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Caller } from "./caller";

/** A key that may call, without the key. */
export interface ApiKey {
  /** What the key is called in answers and logs. */
  readonly name: string;
  /** SHA-256 of the key. A fast hash is enough, because keys are long and random. */
  readonly hash: Buffer;
}

/** SHA-256 of an API key as it was sent. */
export function hashApiKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** Knows the configured keys by their hashes. */
export class ApiKeyAuthenticator {
  constructor(private readonly keys: readonly ApiKey[]) {}

  /** The caller whose key this is, or undefined. Every configured key is compared, whichever matches. */
  authenticate(presented: string): Caller | undefined {
    const hash = hashApiKey(presented);
    let found: ApiKey | undefined;
    for (const key of this.keys) {
      if (timingSafeEqual(key.hash, hash)) found = key;
    }
    return found && { kind: "service", name: found.name };
  }
}
