/** Deletes at ACS, in the background, what the directory lists for deletion. */
import { GatewayError } from "../../../errors";
import { sleep } from "../../sleep";
import type { Events } from "../../telemetry/events";
import { resourcePart } from "../identity-id";
import type { IdentityDirectory } from "./identity-directory";

/** How the worker paces itself; times in milliseconds. */
export interface DeletionTimings {
  readonly intervalMs: number;
  /** The most identities of a round. */
  readonly most: number;
  /** A deletion that failed is tried again after this time. */
  readonly retryMs: number;
  /** A claim that expired this long ago is removed: its gateway is dead. */
  readonly expiredClaimMs: number;
}

/** What is used unless told otherwise. */
const deletionTimings: DeletionTimings = {
  intervalMs: 30_000,
  most: 50,
  retryMs: 120_000,
  expiredClaimMs: 60_000,
};

const closeMs = 1_000;

/** Several replicas may work on one directory: one of them takes each identity. */
export class DeletionWorker implements AsyncDisposable {
  private readonly timings: DeletionTimings;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly directory: IdentityDirectory,
    /** Revokes, and deletes at ACS; an identity that is gone already counts as deleted. */
    private readonly deleteIdentity: (identityId: string) => Promise<void>,
    private readonly events: Pick<Events, "internalError">,
    /** Called with the outcome of each deletion. */
    private readonly onDeleted: (identityId: string, outcome: "ok" | GatewayError["code"]) => void,
    timings: Partial<DeletionTimings> = {},
  ) {
    this.timings = { ...deletionTimings, ...timings };
  }

  /** Works in intervals from now on. */
  start(): void {
    this.schedule(this.timings.intervalMs * Math.random());
  }

  /** One round; how many identities it deleted. Rejects as the directory does. */
  async round(): Promise<number> {
    const { most, retryMs, expiredClaimMs } = this.timings;
    await this.directory.scheduleExpired(most);
    await this.directory.removeExpiredClaims(most, expiredClaimMs);
    let deleted = 0;
    /** A resource that fails is asked once; the others do not wait for it. */
    const failing = new Set<string>();
    for (const { identityId } of await this.directory.takeDue(most, retryMs)) {
      if (this.closed) break;
      const resource = resourcePart(identityId);
      if (failing.has(resource)) continue;
      const outcome = await this.delete(identityId);
      if (outcome === "ok") deleted += 1;
      else if (outcome !== "IDENTITY_NOT_FOUND") failing.add(resource);
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

  private async delete(identityId: string): Promise<"ok" | GatewayError["code"]> {
    try {
      await this.deleteIdentity(identityId);
    } catch (error) {
      const code = error instanceof GatewayError ? error.code : "INTERNAL_SERVER_ERROR";
      if (!(error instanceof GatewayError)) this.events.internalError(error);
      this.onDeleted(identityId, code);
      // Of a resource that is not configured: nobody here can ever delete it.
      if (code === "IDENTITY_NOT_FOUND") await this.directory.deletionDone(identityId);
      return code;
    }
    await this.directory.deletionDone(identityId);
    this.onDeleted(identityId, "ok");
    return "ok";
  }

  private schedule(waitMs: number): void {
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.running = this.round()
        .then(
          () => undefined,
          (error: unknown) => {
            // The directory has already logged that it is away.
            if (!(error instanceof GatewayError)) this.events.internalError(error);
          },
        )
        .then(() => {
          this.schedule(this.timings.intervalMs * (0.75 + Math.random() / 2));
        });
    }, waitMs);
    this.timer.unref();
  }
}
