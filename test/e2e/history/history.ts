/** What clients saw: every operation with its begin, its end and its outcome. Times are milliseconds of one clock. */

/** The clock of a history: finer than a millisecond. */
export const historyClock = (): number => performance.timeOrigin + performance.now();
/** The emulator's, in whole milliseconds; rounded up, so that no death is thought to be earlier than it was. */
export const emulatorClock = (): number => Math.ceil(historyClock());

interface Entry {
  readonly identityId: string;
  /** Which gateway was asked. */
  readonly replica: number;
  readonly start: number;
  readonly end: number;
  /** `OK`, an error's code, or `NETWORK` when no answer came. */
  readonly outcome: string;
}

/** A token was asked for. */
export interface IssueEntry extends Entry {
  readonly kind: "issue";
  /** Scopes and lifetime: those who ask for the same share a token. */
  readonly key: string;
  readonly scopes: readonly string[];
  readonly forced: boolean;
  readonly token?: string;
  readonly source?: "CACHE" | "ISSUED";
}

/** Tokens were ended. */
export interface EndingEntry extends Entry {
  readonly kind: "revoke" | "delete";
}

/** One operation of a client. */
export type HistoryEntry = IssueEntry | EndingEntry;

/** A fault was in force; what it leaves behind is over at `until`. */
export interface FaultEntry {
  readonly fault: string;
  readonly start: number;
  readonly end: number;
}
