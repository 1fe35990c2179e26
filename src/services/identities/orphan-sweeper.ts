/** Deletes identities that no caller was told of, and tells of creates whose identity nobody knows. */
import { GatewayError } from "../../errors";
import type { IdentityProvider } from "../azure/identity-provider";
import { sleep } from "../sleep";
import { LRUCache } from "lru-cache";
import type { Events } from "../telemetry/events";
import { during, type Span, type SpanOptions } from "../telemetry/span";
import { createTimings, type DueCreate } from "./create-journal";
import type { FallbackCreateJournal } from "./fallback-create-journal";
import { resourcePart } from "./identity-id";

/** How the sweeper paces itself; times in milliseconds. */
export interface SweepOptions {
  /** Between two rounds. */
  readonly intervalMs: number;
  /** The most entries taken in a round. */
  readonly most: number;
  /** How long what was taken is kept from other sweepers: what a sweeper that dies delays. */
  readonly claimMs: number;
  /** Before a deletion that failed is tried again; doubled with each failure, up to `maxBackoffMs`. */
  readonly firstBackoffMs: number;
  readonly maxBackoffMs: number;
  /** An identity that could not be deleted for so long is given up. */
  readonly giveUpMs: number;
}

/** What is used unless told otherwise. */
export const sweepDefaults: SweepOptions = {
  intervalMs: 30_000,
  most: 50,
  claimMs: 120_000,
  firstBackoffMs: 30_000,
  maxBackoffMs: 30 * 60_000,
  // Earlier than the journal would forget it.
  giveUpMs: createTimings.keepMs - 60 * 60_000,
};

type Deletion = "settled" | "notOurs" | "azureIsAway";

/** Of creates that were traced: the most that are remembered until their orphans are deleted. */
const maxCauses = 1_000;
/** Nobody waits for it, so it is no part of the request that came to it. */
const deleting: SpanOptions = { name: "delete orphan", kind: "internal" };

/** Closing waits this long for what is under way. */
const closeMs = 1_000;

/** Works through the journal of creates, a bounded round at a time. */
export class OrphanSweeper implements AsyncDisposable {
  private readonly options: SweepOptions;
  private readonly closing = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private again = false;
  private closed: Promise<void> | undefined;
  private readonly causes = new LRUCache<string, Span>({ max: maxCauses });

  constructor(
    private readonly journal: FallbackCreateJournal,
    private readonly azure: Pick<IdentityProvider, "deleteIdentity">,
    private readonly events: Pick<Events, "orphanDeleted" | "createLost" | "internalError">,
    options: Partial<SweepOptions> = {},
    /** Whether somebody keeps an identity although its create never ended: then it is no orphan. */
    private readonly isKept: (identityId: string) => Promise<boolean> = () => Promise.resolve(false),
  ) {
    this.options = { ...sweepDefaults, ...options };
  }

  /** Sweeps now, and from now on in intervals. */
  start(): void {
    this.wake();
  }

  /**
   * Sweeps soon: something is known to be due. Safe to call at any time.
   * @param cause a create whose request is traced: the deletion of what it has left is linked to it.
   */
  wake(cause?: { readonly intentId: string; readonly span: Span }): void {
    if (this.closed) return;
    if (cause) this.causes.set(cause.intentId, cause.span);
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    this.again = false;
    this.running = this.round()
      .catch((error: unknown) => {
        this.events.internalError(error);
        return 0;
      })
      .then((taken) => {
        this.running = undefined;
        if (this.again) this.wake();
        else this.schedule(taken >= this.options.most);
      });
  }

  /** Closes: known orphans get a last try, and what only this process knew is told. Takes a second at most. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.closed ??= this.close());
  }

  /** One round; how many entries it took. */
  private async round(): Promise<number> {
    const { most, claimMs } = this.options;
    const due = await this.journal.takeDue(most, claimMs);
    /** Resources in trouble are not to be asked fifty times; the others are not to wait for them. */
    const away = new Set<string>();
    for (const entry of due) {
      if (this.closing.signal.aborted) break;
      if (entry.identityId === undefined) await this.tellLost(entry, "answerLost");
      else if (entry.ageMs > this.options.giveUpMs) await this.tellLost(entry, "notDeleted");
      else {
        const resource = resourcePart(entry.identityId);
        const outcome: Deletion = away.has(resource)
          ? "azureIsAway"
          : await this.deleteOrphan(entry, entry.identityId);
        if (outcome === "settled") continue;
        if (outcome === "azureIsAway") away.add(resource);
        await this.journal.postpone(entry, this.backoffMs(entry.attempts));
      }
    }
    return due.length;
  }

  private async deleteOrphan(entry: DueCreate, identityId: string): Promise<Deletion> {
    try {
      if (await this.isKept(identityId)) {
        await this.journal.settled(entry);
        return "settled";
      }
      const span = this.causes.get(entry.intentId)?.aside(deleting);
      const { signal } = this.closing;
      const act = () => this.azure.deleteIdentity(identityId, { signal, background: true, span });
      await (span ? during(span, act) : act());
    } catch (error) {
      // The Azure room has told why. A gateway of another resource may share the journal: this one is for it.
      return error instanceof GatewayError && error.code === "IDENTITY_NOT_FOUND" ? "notOurs" : "azureIsAway";
    }
    this.causes.delete(entry.intentId);
    this.events.orphanDeleted({ intentId: entry.intentId, ageMs: entry.ageMs });
    await this.journal.settled(entry);
    return "settled";
  }

  private async tellLost(entry: DueCreate, cause: "answerLost" | "notDeleted"): Promise<void> {
    const { intentId, ageMs } = entry;
    this.events.createLost({ intentId, ageMs, cause });
    await this.journal.settled(entry);
  }

  private backoffMs(attempts: number): number {
    const { firstBackoffMs, maxBackoffMs } = this.options;
    return Math.min(maxBackoffMs, firstBackoffMs * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
  }

  private schedule(full: boolean): void {
    if (this.closed) return;
    const { intervalMs } = this.options;
    const waitMs = full ? Math.min(1_000, intervalMs) : intervalMs * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => {
      this.wake();
    }, waitMs);
    this.timer.unref();
  }

  private async close(): Promise<void> {
    clearTimeout(this.timer);
    const last = (async () => {
      await this.running;
      await this.round();
    })().catch((error: unknown) => {
      this.events.internalError(error);
    });
    const patience = new AbortController();
    await Promise.race([last, sleep(closeMs, patience.signal).catch(() => undefined)]);
    patience.abort();
    this.closing.abort();
    for (const { intentId, ageMs, identityId } of await this.journal.leftBehind()) {
      this.events.createLost({
        intentId,
        ageMs,
        cause: identityId === undefined ? "answerLost" : "notDeleted",
      });
    }
  }
}
