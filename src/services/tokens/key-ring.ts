/** The encryption keys in force: fixed, or those of a file that may change while the process runs. */
import type { Events } from "../telemetry/events";
import { WatchedFile, type WatchOptions } from "../watched-file";
import { changedSecret, parseEncryptionKeys, type EncryptionKey } from "./encryption-keys";

/** What {@link TokenCipher} seals and opens with, asked anew for each value. */
export interface KeyRing {
  /** At least one key. The first seals, all open. */
  current(): readonly EncryptionKey[];
}

/** A ring that stays as it is. */
export function fixedKeyRing(keys: readonly EncryptionKey[]): KeyRing {
  return { current: () => keys };
}

/** What a key ring tells. */
export type KeyRingEvents = Pick<Events, "keyRingChanged" | "keyRingRejected">;

/** Where a key ring's file is, and when it is looked at. */
export type KeyFileOptions = Pick<WatchOptions<unknown>, "path" | "intervalMs" | "signals">;

/** The keys of a file, read again every few seconds and at SIGHUP. */
export class FileKeyRing extends WatchedFile<readonly EncryptionKey[]> implements KeyRing {
  /** `keys` are what the file had when it was read at start. */
  constructor(keys: readonly EncryptionKey[], options: KeyFileOptions, events: KeyRingEvents) {
    super(keys, {
      ...options,
      parse: (text, inForce) => {
        const meaning = parseEncryptionKeys(text);
        const changed = meaning.value && changedSecret(inForce, meaning.value);
        if (changed === undefined) return meaning;
        return { problem: `has another secret for the key id ${changed}: a new key needs a new id` };
      },
      onChange: (changed) => {
        events.keyRingChanged(changed.map((key) => key.id));
      },
      onRejected: events.keyRingRejected,
    });
  }
}
