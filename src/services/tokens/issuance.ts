/** The way to a token after a miss: somebody else's, or a new one under the lease; without the store, a new one. */
import { GatewayError } from "../../errors";
import type { Account, IdentityProvider, IssuedToken } from "../azure/identity-provider";
import type { Clock } from "../clock";
import { sleep } from "../sleep";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import type { GuardedStore } from "./guarded-store";
import { jitter, pollMs } from "./jitter";
import type { Moment, Outcome } from "./single-flight";
import type { TokenKey } from "./token-key";
import { keepMs } from "./token-lifetime";
import type { AcquireOptions, CachedToken, Lease } from "./token-store";

/** A token, and where it came from. */
export interface ServedToken extends CachedToken {
  readonly source: "issued" | "cache";
}

/** How a token is obtained. */
export interface Way {
  /** Issue even though one is cached. */
  readonly force: boolean;
  /** The store has just failed this caller, and is not asked again. */
  readonly withoutStore: boolean;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Of whoever asked first. */
  readonly account?: Account | undefined;
  readonly span?: Span | undefined;
}

/** The longest that a lease lasts unless it is extended, in milliseconds. */
const maxLeaseMs = 2_000;
/** How often an issuance that revocations overtake is begun anew. */
const maxSuperseded = 3;
/** The share of its deadline that an issuance waits for a process that may have died: a revoker, a lease holder. */
const patienceShare = 0.3;

/** Obtains tokens for who found none in the store. */
export class Issuance {
  /** What the others lose when a lease's holder dies. One that lives extends its lease for as long as Azure takes. */
  private readonly leaseMs: number;

  constructor(
    private readonly store: GuardedStore,
    private readonly azure: IdentityProvider,
    private readonly clock: Clock,
    private readonly events: Pick<Events, "tokenSuperseded" | "flightJoined">,
    private readonly minRemainingMs: number,
    /** The present moment, in the order of the runs that callers share. */
    private readonly moment: () => Moment,
    /** Whether this process has yet to tell the store of a revocation of the identity. */
    private readonly owes: (identityId: string) => boolean,
  ) {
    this.leaseMs = Math.min(maxLeaseMs, azure.deadlineMs * patienceShare);
  }

  /** A token and the moment that it is vouched for. Rejects as Azure does, or with `TOKEN_REVOKED_DURING_ISSUE`. */
  async obtain(key: TokenKey, way: Way): Promise<Outcome<ServedToken>> {
    if (way.withoutStore) return this.issueUnstored(key, way);
    const patienceEnd = performance.now() + this.azure.deadlineMs * patienceShare;
    let minLeftMs = way.force ? Infinity : 0;
    let waited = false;
    for (let superseded = 0; superseded < maxSuperseded;) {
      if (this.owes(key.identityId)) return this.issueUnstored(key, way);
      const asOf = this.moment();
      const whileRevoking = performance.now() >= patienceEnd;
      const turn = await this.acquire(key, { minLeftMs, whileRevoking, span: way.span });
      switch (turn?.kind) {
        case undefined:
          return this.issueUnstored(key, way);
        case "token":
          if (this.isFresh(turn.token)) {
            if (waited) this.events.flightJoined("replica");
            return { value: { ...turn.token, source: "cache" }, asOf };
          }
          minLeftMs = Infinity;
          break;
        case "busy":
        case "revoking":
          waited ||= turn.kind === "busy";
          await sleep(jitter(Math.min(turn.retryAfterMs, pollMs.max)), way.signal);
          break;
        case "lease": {
          const outcome = await this.issueUnderLease(key, turn.lease, way);
          if (outcome) return outcome;
          superseded += 1;
        }
      }
    }
    throw new GatewayError(
      "TOKEN_REVOKED_DURING_ISSUE",
      "Revocations of this identity overtook the issuance of its token. Try again when they are over.",
    );
  }

  /** Replaces `old`, unless somebody else is at it or has done it. True when it was replaced. Rejects as Azure does. */
  async renew(key: TokenKey, old: CachedToken, signal: AbortSignal, span?: Span): Promise<boolean> {
    // A token that the store may serve for longer than this one is another.
    const minLeftMs = keepMs(old.expiresOn, this.clock.now(), this.minRemainingMs) + 60_000;
    let turn = await this.acquire(key, { minLeftMs, span });
    if (turn?.kind === "token" && turn.token.expiresOn <= old.expiresOn) {
      // It is this one: the store's clock and ours disagree.
      turn = await this.acquire(key, { minLeftMs: Infinity, span });
    }
    if (turn?.kind !== "lease") return false;
    const way = { force: true, withoutStore: false, signal, background: true, span };
    return (await this.issueUnderLease(key, turn.lease, way)) !== undefined;
  }

  /** Keeps a token that came with a new identity, whose id nobody else knows yet. */
  async remember(key: TokenKey, issued: IssuedToken, span?: Span): Promise<void> {
    const turn = await this.acquire(key, { span });
    if (turn?.kind === "lease") await this.commit(key, turn.lease, issued, span);
  }

  /** The store forgets tokens in time by its own clock; this is the gateway's word on it. */
  isFresh(token: CachedToken): boolean {
    return token.expiresOn - this.clock.now() >= this.minRemainingMs;
  }

  /** Undefined when a revocation overtook the issuance. */
  private async issueUnderLease(
    key: TokenKey,
    lease: Lease,
    way: Way & { readonly background?: boolean },
  ): Promise<Outcome<ServedToken> | undefined> {
    const beforeAzure = this.moment();
    const issued = await this.extending(key, lease, () => this.issue(key, way)).catch(
      async (error: unknown) => {
        await this.store.ask("release", (store) => store.release(key, lease, way.span));
        throw error;
      },
    );
    // What the store was not told of, its check of the generation cannot know.
    const owing = this.owes(key.identityId);
    const beforeCommit = this.moment();
    const committed = await this.commit(key, lease, issued, way.span);
    if (committed?.value === "superseded") {
      this.events.tokenSuperseded();
      return undefined;
    }
    // The commit's check of the generation vouches for the token. Without it, or for who wants one newer than what
    // they have, the call to Azure does.
    const asOf = committed && !way.force && !owing ? beforeCommit : beforeAzure;
    return { value: { ...cachedToken(key, issued), source: "issued" }, asOf };
  }

  private async issueUnstored(key: TokenKey, way: Way): Promise<Outcome<ServedToken>> {
    const asOf = this.moment();
    const issued = await this.issue(key, way);
    return { value: { ...cachedToken(key, issued), source: "issued" }, asOf };
  }

  private issue(key: TokenKey, way: Way & { readonly background?: boolean }) {
    const { signal, background = false, account, span } = way;
    const call = { signal, background, account, span };
    return this.azure.issueToken(key.identityId, key.scopes, key.lifetimeMinutes, call);
  }

  private commit(key: TokenKey, lease: Lease, issued: IssuedToken, span: Span | undefined) {
    const forMs = keepMs(issued.expiresOn, this.clock.now(), this.minRemainingMs);
    const value = cachedToken(key, issued);
    return this.store.ask("commit", (store) => store.commit(key, lease, value, forMs, span));
  }

  private async acquire(key: TokenKey, options: Omit<AcquireOptions, "leaseMs">) {
    const { leaseMs } = this;
    const answer = await this.store.ask("acquire", (store) => store.acquire(key, { leaseMs, ...options }));
    return answer?.value;
  }

  /** Extends the lease while `work` lasts, until it is lost. */
  private async extending<T>(key: TokenKey, lease: Lease, work: () => Promise<T>): Promise<T> {
    const { leaseMs } = this;
    const timer = setInterval(() => {
      void this.store
        .ask("extend", (store) => store.extend(key, lease, leaseMs))
        .then((held) => {
          if (held?.value === false) clearInterval(timer);
        });
    }, leaseMs / 3);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }
}

function cachedToken(key: TokenKey, { token, expiresOn }: IssuedToken): CachedToken {
  return { token, expiresOn, scopes: key.scopes };
}
