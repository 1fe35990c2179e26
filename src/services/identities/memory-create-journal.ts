/** The journal of creates in one process. */
import type { Clock } from "../clock";
import {
  createTimings,
  JournalUnavailable,
  maxEntries,
  type CreateJournal,
  type DueCreate,
  type Intent,
} from "./create-journal";

interface Entry {
  state: "begun" | "created" | "answering" | "abandoned";
  identityId: string | undefined;
  readonly begunAt: number;
  dueAt: number;
  attempts: number;
}

/** {@link CreateJournal} that ends with its process: for a gateway without Redis, and while Redis is away. */
export class MemoryCreateJournal implements CreateJournal {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly clock: Clock,
    private readonly timings = createTimings,
    private readonly most = maxEntries,
  ) {}

  /** Whether it knows this create. */
  has(intentId: string): boolean {
    return this.entries.has(intentId);
  }

  begin(intentId: string): Promise<Intent> {
    if (this.entries.size >= this.most) return Promise.reject(new JournalUnavailable("FULL"));
    const entry = { ...this.fresh("begun"), dueAt: this.clock.now() + this.timings.patienceMs };
    this.entries.set(intentId, entry);
    return Promise.resolve({ id: intentId, receipt: "memory" });
  }

  created(intent: Intent, identityId: string): Promise<void> {
    const entry = this.entries.get(intent.id);
    if (entry?.state === "begun") {
      const dueAt = this.clock.now() + this.timings.untoldMs;
      Object.assign(entry, { state: "created", identityId, dueAt });
    }
    return Promise.resolve();
  }

  answering(intent: Intent): Promise<boolean> {
    const entry = this.entries.get(intent.id);
    if (!entry || entry.state === "abandoned") return Promise.resolve(false);
    const dueAt = this.clock.now() + this.timings.patienceMs;
    Object.assign(entry, { state: "answering", identityId: undefined, dueAt });
    return Promise.resolve(true);
  }

  done(intentId: string): Promise<void> {
    this.entries.delete(intentId);
    return Promise.resolve();
  }

  abandoned(intentId: string, identityId?: string): Promise<void> {
    const entry = this.entries.get(intentId);
    if (!entry && this.entries.size >= this.most) return Promise.reject(new JournalUnavailable("FULL"));
    const { begunAt } = entry ?? this.fresh("abandoned");
    this.entries.set(intentId, { ...this.fresh("abandoned"), begunAt, identityId });
    return Promise.resolve();
  }

  takeDue(most: number, claimMs: number): Promise<DueCreate[]> {
    const now = this.clock.now();
    const due = [...this.entries].filter(([, { dueAt }]) => dueAt <= now).slice(0, most);
    return Promise.resolve(due.map(([intentId, entry]) => taken(intentId, entry, now, claimMs)));
  }

  /** Takes every entry, due or not. */
  takeAll(): DueCreate[] {
    const now = this.clock.now();
    return [...this.entries].map(([intentId, entry]) => taken(intentId, entry, now, Infinity));
  }

  postpone(intentId: string, delayMs: number): Promise<void> {
    const entry = this.entries.get(intentId);
    if (entry) entry.dueAt = this.clock.now() + delayMs;
    return Promise.resolve();
  }

  private fresh(state: Entry["state"]): Entry {
    const now = this.clock.now();
    return { state, identityId: undefined, begunAt: now, dueAt: now, attempts: 0 };
  }
}

function taken(intentId: string, entry: Entry, now: number, claimMs: number): DueCreate {
  entry.state = "abandoned";
  entry.attempts += 1;
  entry.dueAt = now + claimMs;
  const { identityId, begunAt, attempts } = entry;
  return { intentId, identityId, ageMs: now - begunAt, attempts };
}
