/** Deletes at Azure, in the background, identities that are nobody's any more, and those whose time has come. */
import { GatewayError } from "../../../errors";
import { sleep } from "../../sleep";
import type { Events } from "../../telemetry/events";
import { resourcePart } from "../identity-id";
import type { Doomed, IdentityDirectory } from "./identity-directory";

/** How the sweeper paces itself; times in milliseconds. */
export interface DoomedSweepOptions {
  readonly intervalMs: number;
  /** The most identities of a round. */
  readonly most: number;
  /** What could not be deleted is tried again after so long. */
  readonly retryMs: number;
}

/** What is used unless told otherwise. */
export const doomedSweepDefaults: DoomedSweepOptions = { intervalMs: 30_000, most: 50, retryMs: 120_000 };

const closeMs = 1_000;

/** Several gateways may sweep one directory: each identity is taken by one of them. */
export class DoomedSweeper implements AsyncDisposable {
  private readonly options: DoomedSweepOptions;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly directory: IdentityDirectory,
    /** Revokes, and deletes at Azure; one that is gone already counts as deleted. */
    private readonly deleteIdentity: (identityId: string) => Promise<void>,
    private readonly events: Pick<Events, "internalError">,
    /** Told what became of each. */
    private readonly onDeleted: (identityId: string, outcome: "ok" | GatewayError["code"]) => void,
    options: Partial<DoomedSweepOptions> = {},
  ) {
    this.options = { ...doomedSweepDefaults, ...options };
  }

  /** Sweeps in intervals from now on. */
  start(): void {
    this.schedule(this.options.intervalMs * Math.random());
  }

  /** One round; how many identities are deleted now. Rejects as the directory does. */
  async sweep(): Promise<number> {
    const { most, retryMs } = this.options;
    await this.directory.doomExpired(most);
    let deleted = 0;
    /** Resources in trouble are not to be asked fifty times; the others are not to wait for them. */
    const away = new Set<string>();
    for (const doomed of await this.directory.takeDoomed(most, retryMs)) {
      if (this.closed) break;
      const resource = resourcePart(doomed.identityId);
      if (away.has(resource)) continue;
      const outcome = await this.delete(doomed);
      if (outcome === "ok") deleted += 1;
      else if (outcome !== "IDENTITY_NOT_FOUND") away.add(resource);
    }
    return deleted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const patience = new AbortController();
    await Promise.race([this.running, sleep(closeMs, patience.signal).catch(() => undefined)]);
    patience.abort();
  }

  private async delete({ identityId }: Doomed): Promise<"ok" | GatewayError["code"]> {
    try {
      await this.deleteIdentity(identityId);
    } catch (error) {
      const code = error instanceof GatewayError ? error.code : "INTERNAL_SERVER_ERROR";
      if (!(error instanceof GatewayError)) this.events.internalError(error);
      this.onDeleted(identityId, code);
      // Of another resource: nobody here can ever delete it.
      if (code === "IDENTITY_NOT_FOUND") await this.directory.settled(identityId);
      return code;
    }
    await this.directory.settled(identityId);
    this.onDeleted(identityId, "ok");
    return "ok";
  }

  private schedule(waitMs: number): void {
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.running = this.sweep()
        .catch((error: unknown) => {
          // That the directory is away has been told by itself.
          if (!(error instanceof GatewayError)) this.events.internalError(error);
        })
        .then(() => {
          this.schedule(this.options.intervalMs * (0.75 + Math.random() / 2));
        });
    }, waitMs);
    this.timer.unref();
  }
}
