/** The bracket of a revocation around Azure's part of it, and the brackets that could not be closed. */
import { GatewayError } from "../../errors";
import { sleep } from "../sleep";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import type { GuardedStore } from "./guarded-store";
import { jitter, pollMs } from "./jitter";
import { newRevocation } from "./token-store";

/** Why tokens end. */
export type Cause = "revocation" | "deletion";

/** Over a second and more in all: a Redis that was away for a moment is believed again within that time. */
const endTries = 10;
/** Closing waits this long for what is owed, in milliseconds. */
const closeMs = 1_000;
/** The most identities whose brackets are remembered; what is beyond was never promised. */
const maxRemembered = 100_000;

/** Ends tokens everywhere: at Azure and in the store. */
export class Revocations {
  /** Per identity, revocations that Azure has carried out and the store was not told of. */
  private readonly unfinished = new Map<string, Set<string>>();

  constructor(
    private readonly store: GuardedStore,
    private readonly events: Pick<Events, "tokensRevoked" | "revocationCompleted" | "revocationsUnfinished">,
    /** Told of each revocation that Azure has carried out, once the store knows or could not be told. */
    private readonly tell: (identityId: string, cause: Cause) => void,
  ) {}

  /**
   * Runs `act`, Azure's part, between the store's two steps. Rejects as `act` does, or with `CACHE_UNAVAILABLE` when
   * Azure has acted and the store could not be told: then this process finishes as soon as it can.
   */
  async bracket(identityId: string, cause: Cause, act: () => Promise<void>, span?: Span): Promise<void> {
    const revocation = newRevocation();
    await this.store.ask("beginRevocation", (store) => store.beginRevocation(identityId, revocation, span));
    let confirmed: boolean;
    try {
      await act();
    } finally {
      // After a failure too: a call that timed out may have worked at Azure.
      confirmed = await this.end(identityId, revocation, span);
    }
    this.events.tokensRevoked({ cause, confirmed });
    this.tell(identityId, cause);
    if (!confirmed) {
      throw new GatewayError(
        "CACHE_UNAVAILABLE",
        `Azure has carried out the ${cause}, but the shared cache could not be cleared and may serve a token from before. Send the same mutation again to complete it.`,
      );
    }
  }

  /** Whether this process owes the store anything about an identity. */
  owes(identityId: string): boolean {
    return this.unfinished.has(identityId);
  }

  /** Of how many identities it owes something. */
  get owed(): number {
    return this.unfinished.size;
  }

  /** Whether this process may ask the store about an identity: not before what it owes the store is paid. */
  async settled(identityId: string): Promise<boolean> {
    const owed = this.unfinished.get(identityId);
    if (!owed) return true;
    for (const revocation of owed) {
      if (!(await this.tellEnd(identityId, revocation))) return false;
      owed.delete(revocation);
    }
    if (this.unfinished.get(identityId) === owed) this.unfinished.delete(identityId);
    this.events.revocationCompleted();
    return true;
  }

  /** Pays everything that is owed, until the store fails again. To be called when the store is back. */
  async finish(): Promise<void> {
    for (const identityId of [...this.unfinished.keys()]) {
      if (!(await this.settled(identityId))) return;
    }
  }

  /** A last try, of a second at most; what is still owed then is told, because nobody pays it any more. */
  async close(): Promise<void> {
    if (this.unfinished.size === 0) return;
    const patience = new AbortController();
    await Promise.race([this.finish(), sleep(closeMs, patience.signal).catch(() => undefined)]);
    patience.abort();
    if (this.unfinished.size > 0) this.events.revocationsUnfinished(this.unfinished.size);
  }

  private async end(identityId: string, revocation: string, span: Span | undefined): Promise<boolean> {
    for (let attempt = 1; attempt <= endTries; attempt++) {
      if (await this.tellEnd(identityId, revocation, span)) return true;
      if (attempt < endTries) await sleep(jitter(pollMs.max));
    }
    const owed = this.unfinished.get(identityId) ?? new Set();
    this.unfinished.set(identityId, owed.add(revocation));
    if (this.unfinished.size > maxRemembered) {
      for (const oldest of this.unfinished.keys()) {
        this.unfinished.delete(oldest);
        break;
      }
    }
    return false;
  }

  private async tellEnd(identityId: string, revocation: string, span?: Span): Promise<boolean> {
    const told = await this.store.ask("endRevocation", (store) =>
      store.endRevocation(identityId, revocation, span),
    );
    return told !== undefined;
  }
}
