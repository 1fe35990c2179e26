/** The API keys of a file, which change without a restart. */
import type { Events } from "../telemetry/events";
import { WatchedFile, type WatchOptions } from "../watched-file";
import { parseApiKeys, type ApiKey } from "./api-key";
import type { ApiKeys } from "./api-key-authenticator";

/** The keys of a file, read again every few seconds and at SIGHUP. */
export class FileApiKeys extends WatchedFile<readonly ApiKey[]> implements ApiKeys {
  /**
   * `keys` are what the file had when it was read at start. `always` are in force beside them, whatever the file has.
   */
  constructor(
    keys: readonly ApiKey[],
    private readonly always: readonly ApiKey[],
    options: Pick<WatchOptions<unknown>, "path" | "intervalMs" | "signals">,
    events: Pick<Events, "apiKeysChanged" | "apiKeysRejected">,
  ) {
    super(keys, {
      ...options,
      parse: parseApiKeys,
      onChange: (changed) => {
        this.all = undefined;
        events.apiKeysChanged(changed.map(({ name }) => name));
        for (const listener of this.listeners) listener();
      },
      onRejected: events.apiKeysRejected,
    });
  }

  private readonly listeners: (() => void)[] = [];
  private all: readonly ApiKey[] | undefined;

  override current(): readonly ApiKey[] {
    return (this.all ??= [...super.current(), ...this.always]);
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }
}
