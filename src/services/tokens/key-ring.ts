/** The encryption keys in force: fixed, or those of a file that may change while the process runs. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { reasonOf } from "../redis/reason-of";
import type { Events } from "../telemetry/events";
import { parseEncryptionKeys, type EncryptionKey, type ParsedKeys } from "./encryption-keys";

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
export interface KeyFileOptions {
  readonly path: string;
  /** How often the file is read again, in milliseconds; default 5 s. */
  readonly intervalMs?: number;
  /** Where SIGHUP is heard, which has the file read at once; default: this process. */
  readonly signals?: Pick<NodeJS.EventEmitter, "on" | "off">;
}

/** Reads a key file at start. The problem reads on from the name of the variable that names the file. */
export function readKeyFile(path: string): ParsedKeys {
  try {
    const { keys, problem } = parseEncryptionKeys(readFileSync(path, "utf8"));
    return keys ? { keys } : { problem: `names a file whose text ${problem}` };
  } catch (error) {
    return { problem: `names a file that cannot be read (${reasonOf(error)})` };
  }
}

/**
 * The keys of a file, read again every few seconds and at SIGHUP. It is the text that is compared, not the file's
 * times: whatever replaces the file (an editor, a rename, Kubernetes swapping a symlink above it), nothing is missed.
 * A text that is wrong, or a file that is gone, leaves the keys in force as they were.
 */
export class FileKeyRing implements KeyRing, AsyncDisposable {
  private readonly timer: NodeJS.Timeout;
  private readonly signals: Pick<NodeJS.EventEmitter, "on" | "off">;
  private reading: Promise<void> | undefined;
  private rejected: string | undefined;
  private disposed = false;

  /** `keys` are what the file had when it was read at start. */
  constructor(
    private keys: readonly EncryptionKey[],
    private readonly options: KeyFileOptions,
    private readonly events: KeyRingEvents,
  ) {
    this.timer = setInterval(() => void this.reread(), options.intervalMs ?? 5_000).unref();
    this.signals = options.signals ?? process;
    this.signals.on("SIGHUP", this.onHangup);
    void this.reread();
  }

  current(): readonly EncryptionKey[] {
    return this.keys;
  }

  /** Stops watching; resolves when nothing is being read any more. The keys stay in force. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    clearInterval(this.timer);
    this.signals.off("SIGHUP", this.onHangup);
    await this.reading;
  }

  private readonly onHangup = () => {
    // Whoever sends it wants to be told, even what was told before; and a reading under way may be of before.
    this.rejected = undefined;
    void (this.reading ?? Promise.resolve()).then(() => this.reread());
  };

  private reread(): Promise<void> {
    if (this.disposed) return Promise.resolve();
    return (this.reading ??= this.apply().finally(() => (this.reading = undefined)));
  }

  private async apply(): Promise<void> {
    const { keys, problem } = await readFile(this.options.path, "utf8").then(
      parseEncryptionKeys,
      (error: unknown): ParsedKeys => ({ problem: `cannot be read (${reasonOf(error)})` }),
    );
    if (this.disposed) return;
    if (!keys) {
      if (problem !== this.rejected) this.events.keyRingRejected(problem);
      this.rejected = problem;
      return;
    }
    this.rejected = undefined;
    if (sameKeys(keys, this.keys)) return;
    this.keys = keys;
    this.events.keyRingChanged(keys.map((key) => key.id));
  }
}

function sameKeys(some: readonly EncryptionKey[], others: readonly EncryptionKey[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ id, secret }, at) => id === others[at]?.id && secret.equals(others[at].secret))
  );
}
