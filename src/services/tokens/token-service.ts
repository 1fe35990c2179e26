/** The rules of issue and revoke: serve from the cache what may be served, let one caller issue what may not. */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors";
import type { CallOptions, IdentityProvider, IssuedToken, TeamsUserToken } from "../azure/identity-provider";
import type { Clock } from "../clock";
import { startDeadline } from "../deadline";
import { checkIdentityId } from "../identities/identity-id";
import type { Events } from "../telemetry/events";
import { SingleFlight, type Flight } from "./single-flight";
import { canonicalScopes, checkLifetime, tokenKey, type TokenKey } from "./token-key";
import { tokenScopes, type TokenScope } from "./token-scope";
import { newRevocation, StoreUnavailable, type CachedToken, type TokenStore } from "./token-store";

/** A token, and where it came from. */
export interface ServedToken extends CachedToken {
  readonly source: "issued" | "cache";
}

/** Which token is asked for. */
export interface TokenRequest {
  readonly identityId: string;
  readonly scopes: readonly TokenScope[];
  /** Whole minutes, 60 to 1440. */
  readonly lifetimeMinutes: number;
  /** Issue a new token even though one is cached, for instance because ACS no longer accepts that one. */
  readonly forceRefresh: boolean;
}

/** What is cached for an identity; never the token itself. */
export type CachedTokenSummary = Pick<CachedToken, "scopes" | "expiresOn">;

/** How long ACS may still honour tokens after it has revoked them (ACS documentation, identity model). */
const revocationEffectMs = 15 * 60_000;

/** How often an issuance that revocations overtake is begun anew. */
const maxSuperseded = 3;
/**
 * The share of its deadline that an issuance waits for others, a pending revocation or the holder of the lease, who
 * may have died. Then it goes on without storing its token.
 */
const patienceShare = 0.3;
const pollMs = { min: 25, max: 200 };
const endTries = 3;

/** Issues, caches and revokes tokens. What it promises, and what of a store, stands in `token-store.ts`. */
export class TokenService {
  private readonly flights = new SingleFlight<ServedToken>();

  constructor(
    private readonly store: TokenStore<CachedToken>,
    private readonly azure: IdentityProvider,
    private readonly clock: Clock,
    private readonly events: Pick<
      Events,
      "tokenServed" | "tokenSuperseded" | "tokensRevoked" | "storeUnavailable"
    >,
    /** A token with less life left than this many milliseconds is not served from the cache. */
    private readonly minRemainingMs: number,
  ) {}

  /**
   * A token for exactly these scopes and this lifetime. Rejects with `BAD_USER_INPUT`, the errors of
   * {@link IdentityProvider}, or `TOKEN_REVOKED_DURING_ISSUE`; never because the store is away.
   */
  async issue(request: TokenRequest, call: CallOptions): Promise<ServedToken> {
    const key = tokenKey(
      checkIdentityId(request.identityId, "input.identityId"),
      canonicalScopes(request.scopes),
      checkLifetime(request.lifetimeMinutes),
      this.azure.credentialFingerprint,
    );
    const force = request.forceRefresh;
    const cached = force ? undefined : await this.orUndefined("read", () => this.store.read(key));
    const served: ServedToken =
      cached && this.isFresh(cached)
        ? { ...cached, source: "cache" }
        : // A forced refresh does not join a plain issuance, which might answer with the very token that is refused.
          await this.withDeadline(call, (signal) =>
            this.flights.run(`${force ? "force " : ""}${key.text}`, signal, (flight) =>
              this.obtain(key, force, flight),
            ),
          );
    const { source } = served;
    this.events.tokenServed({ source, scopes: key.scopes, lifetimeMinutes: key.lifetimeMinutes });
    return served;
  }

  /** Keeps a token that came with a new identity, whose id nobody else knows yet. Does its best; never rejects. */
  async remember(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    issued: IssuedToken,
  ): Promise<void> {
    const key = tokenKey(identityId, scopes, lifetimeMinutes, this.azure.credentialFingerprint);
    await this.orUndefined("commit", async () => {
      const acquired = await this.store.acquire(key, { leaseMs: this.leaseMs });
      if (acquired.kind === "lease")
        await this.store.commit(key, acquired.lease, cachedToken(key, issued), this.keepMs(issued));
    });
  }

  /**
   * Revokes every token of the identity. Once it has resolved, no gateway on the same store serves a token from
   * before. Rejects with the errors of {@link IdentityProvider}, or `CACHE_UNAVAILABLE` when Azure has revoked but
   * the store could not be told.
   */
  async revoke(identityId: string): Promise<{ readonly effectiveBy: number }> {
    checkIdentityId(identityId, "input.identityId");
    await this.endTokens(identityId, "revocation", () => this.azure.revokeTokens(identityId, {}));
    return { effectiveBy: this.clock.now() + revocationEffectMs };
  }

  /**
   * The bracket of a revocation around `act`, Azure's part of it. A caller that leaves does not cancel it: half a
   * revocation helps nobody.
   */
  async endTokens(
    identityId: string,
    cause: "revocation" | "deletion",
    act: () => Promise<void>,
  ): Promise<void> {
    const revocation = newRevocation();
    await this.orUndefined("beginRevocation", () => this.store.beginRevocation(identityId, revocation));
    let confirmed: boolean;
    try {
      await act();
    } finally {
      // After a failure too: a call that timed out may have worked at Azure.
      confirmed = await this.endRevocation(identityId, revocation);
    }
    this.events.tokensRevoked({ cause, confirmed });
    if (!confirmed) {
      throw new GatewayError(
        "CACHE_UNAVAILABLE",
        `Azure has carried out the ${cause}, but the shared cache could not be cleared and may serve a token from before. Send the same mutation again to complete it.`,
      );
    }
  }

  /** What is cached for each identity, in the order asked for; nothing while the store is away. */
  async cachedTokens(identityIds: readonly string[]): Promise<CachedTokenSummary[][]> {
    const lists = await this.orUndefined("list", () => this.store.list(identityIds));
    return identityIds.map((_, index) =>
      (lists?.[index] ?? [])
        .filter(({ key }) => key.credential === this.azure.credentialFingerprint)
        .map(({ value: { scopes, expiresOn } }) => ({ scopes, expiresOn })),
    );
  }

  /** Exchanges a Teams user's Entra token. Never cached: what it answers with belongs to that one Entra token. */
  async exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<ServedToken> {
    const issued = await this.withDeadline(call, (signal) =>
      this.azure.exchangeTeamsToken(teams, { signal }),
    );
    return {
      ...issued,
      scopes: tokenScopes.filter((scope) => scope === "chat" || scope === "voip"),
      source: "issued",
    };
  }

  /** One caller's way to a token after a miss: somebody else's, or one of its own under the lease. */
  private async obtain(key: TokenKey, force: boolean, flight: Flight): Promise<ServedToken> {
    const patienceEnd = performance.now() + this.azure.deadlineMs * patienceShare;
    let ignoreToken = force;
    for (let superseded = 0; superseded < maxSuperseded;) {
      const patient = performance.now() < patienceEnd;
      const turn = await this.orUndefined("acquire", () =>
        this.store.acquire(key, { leaseMs: this.leaseMs, ignoreToken, whileRevoking: !patient }),
      );
      switch (turn?.kind) {
        case undefined:
          return this.issueUnstored(key, flight);
        case "token":
          if (this.isFresh(turn.token)) {
            // A revocation may have overtaken this answer: whoever comes now has asked the store after it.
            flight.close();
            return { ...turn.token, source: "cache" };
          }
          ignoreToken = true;
          break;
        case "busy":
          if (!patient) return this.issueUnstored(key, flight);
          await sleep(jitter(Math.min(turn.retryAfterMs, pollMs.max)), undefined, { signal: flight.signal });
          break;
        case "lease": {
          const issued = await this.azure
            .issueToken(key.identityId, key.scopes, key.lifetimeMinutes, flight)
            .catch(async (error: unknown) => {
              await this.orUndefined("release", () => this.store.release(key, turn.lease));
              throw error;
            });
          // The commit's check of the generation covers who waits by now; whoever comes later must check again.
          flight.close();
          const token = cachedToken(key, issued);
          const committed = await this.orUndefined("commit", () =>
            this.store.commit(key, turn.lease, token, this.keepMs(issued)),
          );
          if (committed === undefined) {
            // A store that is full takes no token, and would keep the next callers waiting for a lease nobody uses.
            await this.orUndefined("release", () => this.store.release(key, turn.lease));
            return this.issueUnstored(key, flight);
          }
          if (committed !== "superseded") return { ...token, source: "issued" };
          superseded += 1;
          this.events.tokenSuperseded();
        }
      }
    }
    throw new GatewayError(
      "TOKEN_REVOKED_DURING_ISSUE",
      "Revocations of this identity overtook the issuance of its token. Try again when they are over.",
    );
  }

  /**
   * The way without the store. Azure is asked only after the flight has closed, so that nobody who began after a
   * revocation is given a token from before it; those who come meanwhile make up one next flight.
   */
  private async issueUnstored(key: TokenKey, flight: Flight): Promise<ServedToken> {
    await flight.takeTurn();
    const issued = await this.azure.issueToken(key.identityId, key.scopes, key.lifetimeMinutes, flight);
    return { ...cachedToken(key, issued), source: "issued" };
  }

  private async endRevocation(identityId: string, revocation: string): Promise<boolean> {
    for (let attempt = 1; attempt <= endTries; attempt++) {
      const done = await this.orUndefined("endRevocation", async () => {
        await this.store.endRevocation(identityId, revocation);
        return true;
      });
      if (done) return true;
      if (attempt < endTries) await sleep(jitter(pollMs.max));
    }
    return false;
  }

  private async withDeadline<T>(call: CallOptions, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    using deadline = startDeadline(this.azure.deadlineMs, call.signal);
    try {
      return await run(deadline.signal);
    } catch (error) {
      if (error instanceof GatewayError || !deadline.signal.aborted) throw error;
      throw new GatewayError(
        "UPSTREAM_UNAVAILABLE",
        "Azure Communication Services did not answer in time. Try again.",
      );
    }
  }

  /** A store that is away is an event, and never the caller's problem. */
  private async orUndefined<T>(operation: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.events.storeUnavailable({ operation, reason: error.reason });
      return undefined;
    }
  }

  /** Longer than any issuance lasts, so that only a holder that died loses its lease. */
  private get leaseMs(): number {
    return this.azure.deadlineMs + 500;
  }

  /** The store forgets tokens in time by its own clock; this is the gateway's word on it. */
  private isFresh(token: CachedToken): boolean {
    return token.expiresOn - this.clock.now() >= this.minRemainingMs;
  }

  private keepMs(issued: IssuedToken): number {
    return Math.max(1, issued.expiresOn - this.clock.now() - this.minRemainingMs);
  }
}

function cachedToken(key: TokenKey, { token, expiresOn }: IssuedToken): CachedToken {
  return { token, expiresOn, scopes: key.scopes };
}

function jitter(ms: number): number {
  return Math.max(pollMs.min, ms * (0.5 + Math.random() / 2));
}
