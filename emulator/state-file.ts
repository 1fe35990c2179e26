/** Keeps an emulator's state in a file: read at the start, written soon after each change and at the end. */
import { createPrivateKey } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Identities, SavedState } from "./identities";
import { JwtKey, processKey } from "./jwt";

interface Contents {
  /** PEM: without it, tokens from before a restart could not be recognized. */
  readonly signingKey: string;
  readonly state: SavedState;
}

/** The state file cannot be read or written; the message names it and says what is wrong. */
export class StateFileError extends Error {}

/** The signing key and the state of `file`, if it is there; else a key of this process and no state. */
export async function openState(file: string | undefined, identities: Identities): Promise<JwtKey> {
  if (file === undefined || !existsSync(file)) return processKey();
  try {
    const { signingKey, state } = JSON.parse(readFileSync(file, "utf8")) as Contents;
    const key = new JwtKey(createPrivateKey(signingKey));
    identities.load(state);
    return key;
  } catch (error) {
    throw new StateFileError(
      (error as NodeJS.ErrnoException).syscall !== undefined
        ? `The state file cannot be read: ${(error as Error).message}.`
        : `${file} is not a state file of this emulator, or it is damaged. Delete it to start anew.`,
    );
  }
}

/** Writes the state now, after changes at most ten times a second, and at the end. */
export class StateFile {
  private timer: NodeJS.Timeout | undefined;

  /** Throws {@link StateFileError} when the file cannot be written: better at the start than after the first change. */
  constructor(
    private readonly file: string | undefined,
    private readonly identities: Identities,
    private readonly key: JwtKey,
  ) {
    if (file === undefined) return;
    this.write(file);
    identities.onChange = () => {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.writeOrTell(file);
      }, 100);
    };
  }

  /** Writes what is left; nothing is written afterwards. Throws {@link StateFileError} when it cannot be written. */
  close(): void {
    this.identities.onChange = () => undefined;
    clearTimeout(this.timer);
    if (this.file !== undefined) this.write(this.file);
  }

  /** A full disk must not end the program: it goes on in memory, and each later change tries again. */
  private writeOrTell(file: string): void {
    try {
      this.write(file);
    } catch (error) {
      process.stderr.write(`acs-identity-emulator: ${(error as Error).message}\n`);
    }
  }

  private write(file: string): void {
    const contents: Contents = { signingKey: this.key.export(), state: this.identities.save() };
    try {
      // A reader, or a restart after a crash, sees the old state or the new one, never half of it.
      writeFileSync(`${file}.new`, JSON.stringify(contents), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      throw new StateFileError(`The state file cannot be written: ${(error as Error).message}.`);
    }
  }
}
