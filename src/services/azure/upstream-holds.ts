/** Remembers that Azure has refused although there was a turn, until it lets somebody through again. */
import { rateLimited } from "./rate-limited";
import type { Operation } from "./upstream-operation";

/** A Retry-After beyond this is not Azure's window, and not taken at its word: an hour would be an outage of our own making. */
const longestWordMs = 60_000;
/** Without a word to go by, one request at a time finds out, after these pauses in milliseconds. */
const probePausesMs = [0, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

interface Hold {
  /** When the first refusal of this round was heard. */
  readonly since: number;
  /** How many rounds in a row Azure has refused. */
  readonly rounds: number;
  /** Until then nobody asks. */
  until: number;
  /** What Azure said, for the callers. */
  toldUntil: number;
  /** From `until` on, one at a time asks, until one is let through. */
  byProbes: boolean;
  /** Who is finding out. */
  probe: Pass | undefined;
}

/** The right to send one request. Disposing of it lets somebody else find out, if this one was to and has not. */
export interface Pass extends Disposable {
  /** The request goes out now. False: Azure has refused others meanwhile, and it must not. */
  go(): boolean;
  /** Azure has let the request through. */
  answered(): void;
  /** Azure has refused it. */
  refused(retryAfterMs: number | undefined): void;
}

/** What Azure's refusals ask of the callers of each operation. */
export class UpstreamHolds {
  private readonly holds = new Map<Operation, Hold>();

  /** Whether Azure has refused, and let nobody through since. */
  has(operation: Operation): boolean {
    return this.holds.has(operation);
  }

  /** Milliseconds to wait, or a pass. Throws `RATE_LIMITED` when the wait is longer than the caller can. */
  enter(operation: Operation, patienceMs: number): number | Pass {
    const hold = this.holds.get(operation);
    if (!hold) return this.pass(operation, undefined);
    const now = performance.now();
    const waitMs = Math.max(0, hold.until - now);
    if (waitMs > 0 && !hold.byProbes && waitMs <= patienceMs) return waitMs;
    if (waitMs > 0 || hold.probe) throw rateLimited(Math.max(waitMs, hold.toldUntil - now));
    const pass = this.pass(operation, hold);
    if (hold.byProbes) hold.probe = pass;
    return pass;
  }

  private pass(operation: Operation, entered: Hold | undefined): Pass {
    let sentAt = performance.now();
    const current = () => this.holds.get(operation);
    const pass: Pass = {
      go: () => {
        const hold = current();
        if (hold && hold !== entered) return false;
        sentAt = performance.now();
        return true;
      },
      // What was sent before the refusal says nothing of the time after it.
      answered: () => {
        const hold = current();
        if (hold && sentAt > hold.since) this.holds.delete(operation);
      },
      refused: (retryAfterMs) => {
        this.refuse(operation, sentAt, retryAfterMs);
      },
      [Symbol.dispose]: () => {
        const hold = current();
        if (hold?.probe === pass) hold.probe = undefined;
      },
    };
    return pass;
  }

  private refuse(operation: Operation, sentAt: number, retryAfterMs: number | undefined): void {
    const now = performance.now();
    const hold = this.holds.get(operation);
    // Those that were under way together are refused together: one round.
    const sameRound = hold !== undefined && sentAt <= hold.since;
    const rounds = (hold?.rounds ?? 0) + (sameRound ? 0 : 1);
    const byProbes = retryAfterMs === undefined || retryAfterMs > longestWordMs;
    const pauseMs = probePausesMs[Math.min(rounds - 1, probePausesMs.length - 1)] ?? 0;
    const until = now + (byProbes ? pauseMs : retryAfterMs);
    const toldUntil = now + (retryAfterMs ?? pauseMs);
    if (sameRound) {
      hold.until = Math.max(hold.until, until);
      hold.toldUntil = Math.max(hold.toldUntil, toldUntil);
      hold.byProbes ||= byProbes;
    } else {
      this.holds.set(operation, { since: now, rounds, until, toldUntil, byProbes, probe: undefined });
    }
  }
}
