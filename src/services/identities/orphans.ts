/** Deletes identities that were created and that no caller received. */
import type { IdentityProvider } from "../azure/identity-provider";
import { sleep } from "../sleep";
import type { Events } from "../telemetry/events";
import { during, type Span, type SpanOptions } from "../telemetry/span";
import type { CreateOutcome } from "./create-outcome";

/** How deletions are paced, in milliseconds. */
export interface OrphanTimings {
  /** Before a failed deletion is tried again; doubled with each failure, up to `maxRetryMs`. */
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** Closing waits this long for late answers and deletions. */
  readonly drainMs: number;
}

/** What is used unless told otherwise. */
const orphanTimings: OrphanTimings = { firstRetryMs: 1_000, maxRetryMs: 5 * 60_000, drainMs: 2_000 };

/** An identity without a caller. */
export interface Orphan {
  readonly identityId: string;
  /** The request that created it; the trace of the deletion is linked to it. */
  readonly span?: Span | undefined;
  /** Asked before the deletion, until it resolves: whether somebody has the identity after all. */
  readonly isKept?: ((identityId: string) => Promise<boolean>) | undefined;
}

/** The most deletions that wait at once: five minutes of ACS's limit of 1,000 creates in 30 seconds. */
const maxDeletions = 10_000;

const deleting: SpanOptions = { name: "delete orphan", kind: "internal" };

/**
 * Deletes at once, and again with back-off while ACS fails, as long as the process lives. With a directory, an identity
 * that ACS did not delete at once goes to its deletion worker, which survives the process.
 */
export class Orphans implements AsyncDisposable {
  private readonly timings: OrphanTimings;
  /** Creates whose callers gave up before ACS answered, and since when. */
  private readonly unanswered = new Map<Promise<void>, number>();
  private readonly deletions = new Set<Promise<void>>();
  /** Aborted when closing begins: each deletion that waits is tried once more. */
  private readonly closing = new AbortController();
  /** Aborted when the time to close is over: calls end. */
  private readonly closed = new AbortController();

  constructor(
    private readonly azure: Pick<IdentityProvider, "deleteIdentity">,
    private readonly events: Pick<Events, "orphanDeleted" | "createOutcomeUnknown">,
    timings: Partial<OrphanTimings> = {},
    private readonly deleteLater?: (identityId: string) => Promise<void>,
  ) {
    this.timings = { ...orphanTimings, ...timings };
  }

  /** Waits in the background for the answer to a create whose caller gave up, and deletes what was created. */
  awaitAnswer(answer: Promise<CreateOutcome>, span: Span | undefined): void {
    const since = performance.now();
    const late = answer.then(async (outcome) => {
      if (!this.unanswered.delete(late)) return;
      if (outcome.kind === "unknown") this.tellUnknown("answerLost", since);
      else if (outcome.kind !== "nothing") await this.delete({ identityId: outcome.identityId, span });
    });
    this.unanswered.set(late, since);
  }

  /** Deletes an identity. Resolves when it is deleted or given up; never rejects. */
  delete(orphan: Orphan): Promise<void> {
    const deletion = this.deleteOrReport(orphan).finally(() => this.deletions.delete(deletion));
    this.deletions.add(deletion);
    return deletion;
  }

  /** Tries everything once more, for a short time, and reports what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    const patience = new AbortController();
    const drained = Promise.all([...this.unanswered.keys(), ...this.deletions]).then(() => {
      patience.abort();
    });
    await Promise.race([drained, sleep(this.timings.drainMs, patience.signal).catch(() => undefined)]);
    this.closed.abort();
    for (const since of this.unanswered.values()) this.tellUnknown("answerLost", since);
    this.unanswered.clear();
    await Promise.all(this.deletions);
  }

  private async deleteOrReport(orphan: Orphan): Promise<void> {
    const since = performance.now();
    const { firstRetryMs, maxRetryMs } = this.timings;
    for (let delayMs = firstRetryMs; this.deletions.size < maxDeletions; delayMs *= 2) {
      const isLast = this.closing.signal.aborted;
      if (await this.isSettled(orphan, since)) return;
      if (isLast || this.closed.signal.aborted) break;
      const jittered = Math.min(delayMs, maxRetryMs) * (0.5 + Math.random() / 2);
      await sleep(jittered, this.closing.signal).catch(() => undefined);
    }
    this.tellUnknown("notDeleted", since);
  }

  /** One attempt. The provider has already logged why it failed. */
  private async isSettled({ identityId, span, isKept }: Orphan, since: number): Promise<boolean> {
    try {
      if (await isKept?.(identityId)) return true;
    } catch {
      return false;
    }
    const { signal } = this.closed;
    const act = () => this.azure.deleteIdentity(identityId, { signal, background: true, span: aside });
    const aside = span?.aside(deleting);
    try {
      await (aside ? during(aside, act) : act());
    } catch {
      return this.handedOver(identityId);
    }
    this.events.orphanDeleted({ ageMs: Math.round(performance.now() - since) });
    return true;
  }

  private async handedOver(identityId: string): Promise<boolean> {
    if (!this.deleteLater) return false;
    return this.deleteLater(identityId).then(
      () => true,
      () => false,
    );
  }

  private tellUnknown(cause: "answerLost" | "notDeleted", since: number): void {
    this.events.createOutcomeUnknown({ cause, ageMs: Math.round(performance.now() - since) });
  }
}
