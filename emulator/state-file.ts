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

/** The signing key and the state of `file`, if it is there; else a key of this process and no state. */
export async function openState(file: string | undefined, identities: Identities): Promise<JwtKey> {
  if (file === undefined || !existsSync(file)) return processKey();
  const { signingKey, state } = JSON.parse(readFileSync(file, "utf8")) as Contents;
  identities.load(state);
  return new JwtKey(createPrivateKey(signingKey));
}

/** Writes the state after changes, at most ten times a second; `flush` writes what is left. */
export class StateFile {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly file: string | undefined,
    private readonly identities: Identities,
    private readonly key: JwtKey,
  ) {
    if (file === undefined) return;
    identities.onChange = () => {
      this.timer ??= setTimeout(() => {
        this.flush();
      }, 100);
    };
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.file === undefined) return;
    const contents: Contents = { signingKey: this.key.export(), state: this.identities.save() };
    // A reader, or a restart after a crash, sees the old state or the new one, never half of it.
    writeFileSync(`${this.file}.new`, JSON.stringify(contents), { mode: 0o600 });
    renameSync(`${this.file}.new`, this.file);
  }
}
