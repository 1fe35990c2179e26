/**
 * The journal of creates: its port, and the protocol by which no identity stays alive that no caller was told of.
 *
 * Azure's create cannot be repeated safely and there is no list of identities, so an identity whose id was lost can
 * never be deleted: it is counted and told. One whose id is known is deleted, but only on the fact that no caller will
 * ever be told of it. An identity that nobody uses costs nothing; one that is deleted under its user costs the user's
 * data. In doubt, nothing is deleted.
 *
 * | step        | when                                            | what a sweeper does if it is the last              |
 * | ----------- | ----------------------------------------------- | -------------------------------------------------- |
 * | `begin`     | before Azure is asked                           | tells, after {@link CreateTimings.patienceMs}      |
 * | `created`   | the id is known, and not yet told               | deletes, after {@link CreateTimings.untoldMs}      |
 * | `answering` | from here on the caller may learn the id        | tells, after {@link CreateTimings.patienceMs}      |
 * | `done`      | the answer has left, or Azure made nothing      | nothing: the entry is gone                         |
 * | `abandoned` | it is certain that the caller is never answered | deletes at once; without an id, tells at once      |
 *
 * `answering` is the point of no return, and takes the id out of the journal: a sweeper that has taken the entry by
 * then has won, the identity is as good as deleted, and the caller must be refused. So a process that dies between
 * `created` and `answering` leaves an identity that is deleted, one that dies later leaves one that is told, and one
 * that was paused and wakes up later tells no caller of a deleted identity.
 *
 * A journal that lost its last writes (a failover, a restart from a snapshot) may have lost an `answering`. What it
 * has of `created` from before is therefore told, not deleted; `abandoned` stays true whatever else is lost.
 */
import { randomBytes } from "node:crypto";
import type { Span } from "../telemetry/span";

/** How long a create may last, in milliseconds. */
export interface CreateTimings {
  /** An entry without an id is due after this time: longer than Azure's answer is listened for. */
  readonly patienceMs: number;
  /** An id that is still not told after this time never will be: its process is dead. There is no hurry. */
  readonly untoldMs: number;
  /** Entries are given up after this time. */
  readonly keepMs: number;
}

/** Azure's answer is listened for for a minute; a quarter of one more is for clocks and queues. */
export const createTimings: CreateTimings = {
  patienceMs: 75_000,
  untoldMs: 5 * 60_000,
  keepMs: 24 * 60 * 60_000,
};

/** The most entries at once. Azure's limit of 1,000 creates per 30 seconds leaves 2,500 in an outage. */
export const maxEntries = 10_000;

/** A create that is under way. */
export interface Intent {
  /** 96 random bits in hexadecimal. Says nothing about the identity. */
  readonly id: string;
  /** The journal's word that it has the intent, to be shown again at `answering`. */
  readonly receipt: string;
}

/** An entry whose create can no longer be under way. */
export interface DueCreate {
  readonly intentId: string;
  /** The identity to delete; undefined when nobody knows it, or when a caller may have been told of it. */
  readonly identityId: string | undefined;
  /** Since the create began, in milliseconds. */
  readonly ageMs: number;
  /** How often it was taken, this time included. */
  readonly attempts: number;
}

/** A journal of creates. Every method may throw {@link JournalUnavailable}. A `span` is the work that it is asked in. */
export interface CreateJournal {
  /** Enters a create. Throws with the reason `FULL` when there are {@link maxEntries} already. */
  begin(intentId: string, span?: Span): Promise<Intent>;
  /** Enters the id. Does nothing unless the create has just begun: a late command must not undo a later step. */
  created(intent: Intent, identityId: string, span?: Span): Promise<void>;
  /** Takes the id out, so that the caller may be told. False when a sweeper was faster: the caller must be refused. */
  answering(intent: Intent, span?: Span): Promise<boolean>;
  /** Forgets the create. May be called again. */
  done(intentId: string): Promise<void>;
  /** Makes the entry due at once, whatever it was before. */
  abandoned(intentId: string, identityId?: string): Promise<void>;
  /** Takes up to `most` due entries and keeps them from everybody for `claimMs`: what is not `done` by then is due again. */
  takeDue(most: number, claimMs: number): Promise<DueCreate[]>;
  /** Makes a taken entry due in `delayMs`. */
  postpone(intentId: string, delayMs: number): Promise<void>;
}

/** A new intent's id. */
export function newIntentId(): string {
  return randomBytes(12).toString("hex");
}

/** The journal could not be asked, did not answer in time, or is full. `reason` is a short code. */
export class JournalUnavailable extends Error {
  override readonly name = "JournalUnavailable";
  constructor(readonly reason: string) {
    super(`The journal of creates is unavailable: ${reason}.`);
  }
}
