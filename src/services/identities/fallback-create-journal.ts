/** The journal that a create can rely on: the shared one while it is there, the process's own while it is not. */
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import {
  JournalUnavailable,
  newIntentId,
  type CreateJournal,
  type DueCreate,
  type Intent,
} from "./create-journal";
import type { MemoryCreateJournal } from "./memory-create-journal";

/** A create that is under way, and where it is entered. */
export interface Create {
  readonly intent: Intent;
  readonly journal: CreateJournal | undefined;
  /** A step of it was not confirmed in time, so the next ones are not waited for. */
  unconfirmed: boolean;
  /** The work of whoever asked for it, if that is traced. */
  readonly span: Span | undefined;
}

/** The most entries of the shared journal that are owed an end. Forgetting one costs a false `createLost`. */
const maxOwed = 10_000;

/** No method throws. A create waits for a journal that is away once, for one command's timeout. */
export class FallbackCreateJournal {
  /** Creates that are over and may still be in the shared journal. */
  private readonly owed = new Set<string>();

  constructor(
    private readonly own: MemoryCreateJournal,
    private readonly shared: CreateJournal | undefined,
    private readonly events: Pick<Events, "createJournalUnavailable">,
  ) {}

  /** Enters a new create; to be waited for before Azure is asked. */
  async begin(span?: Span): Promise<Create> {
    const id = newIntentId();
    const shared = this.shared && (await this.orUndefined("begin", this.shared.begin(id, span)));
    if (shared) return { intent: shared, journal: this.shared, unconfirmed: false, span };
    // A begin that timed out may still be carried out.
    if (this.shared) this.owe(id);
    const own = await this.orUndefined("begin", this.own.begin(id));
    return { intent: own ?? { id, receipt: "" }, journal: own && this.own, unconfirmed: false, span };
  }

  /** Enters the identity's id. */
  async created(create: Create, identityId: string): Promise<void> {
    const { journal, intent, span } = create;
    const entered = journal?.created(intent, identityId, span).then(() => true);
    if (entered && !(await this.orUndefined("created", entered))) create.unconfirmed = true;
  }

  /** To be waited for before the caller is told. False: a sweeper was faster, refuse the caller. */
  async answering(create: Create): Promise<boolean> {
    const { journal, intent, span } = create;
    if (!journal) return true;
    const answering = this.orUndefined("answering", journal.answering(intent, span));
    return create.unconfirmed ? true : ((await answering) ?? true);
  }

  /** The answer has left, or Azure has certainly made nothing. */
  async done({ intent, journal }: Create): Promise<void> {
    if (journal === this.own) await this.own.done(intent.id);
    else if (journal) await this.endShared(intent.id);
  }

  /** The caller is never answered. */
  async abandoned({ intent, journal }: Create, identityId?: string): Promise<void> {
    const { id } = intent;
    if (journal && journal !== this.own) {
      const entered = journal.abandoned(id, identityId).then(() => true);
      if (await this.orUndefined("abandoned", entered)) return;
      this.owe(id);
    }
    await this.orUndefined("abandoned", this.own.abandoned(id, identityId));
  }

  /** Due entries of both; the shared ones are missing while it is away. */
  async takeDue(most: number, claimMs: number): Promise<DueCreate[]> {
    const own = await this.own.takeDue(most, claimMs);
    if (!this.shared || own.length >= most) return own;
    for (const id of this.owed) if (!(await this.endShared(id))) return own;
    const shared = await this.orUndefined("takeDue", this.shared.takeDue(most - own.length, claimMs));
    return [...own, ...(shared ?? [])];
  }

  /** A due entry is dealt with. */
  async settled({ intentId }: DueCreate): Promise<void> {
    if (this.own.has(intentId)) await this.own.done(intentId);
    else await this.endShared(intentId);
  }

  /** A due entry is to be tried again in `delayMs`. */
  async postpone({ intentId }: DueCreate, delayMs: number): Promise<void> {
    const journal = this.own.has(intentId) ? this.own : this.shared;
    // Without it, the claim's own end makes the entry due again.
    if (journal) await this.orUndefined("postpone", journal.postpone(intentId, delayMs));
  }

  /** Forgets what only this process knows, and hands it over; for the process's end. */
  async leftBehind(): Promise<DueCreate[]> {
    const left = this.own.takeAll();
    for (const { intentId } of left) await this.own.done(intentId);
    return left;
  }

  /** True when the shared journal has forgotten the entry. */
  private async endShared(id: string): Promise<boolean> {
    const ended = this.shared?.done(id).then(() => true);
    if (ended && !(await this.orUndefined("done", ended))) {
      this.owe(id);
      return false;
    }
    this.owed.delete(id);
    return true;
  }

  private owe(id: string): void {
    if (this.owed.size < maxOwed) this.owed.add(id);
  }

  private async orUndefined<T>(operation: string, asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked;
    } catch (error) {
      if (!(error instanceof JournalUnavailable)) throw error;
      this.events.createJournalUnavailable({ operation, reason: error.reason });
      return undefined;
    }
  }
}
