/** Tokens as the API knows them: issue, revoke, list, exchange. Serves from the store what may be served. */
import { GatewayError } from "../../errors";
import { acsUnavailable } from "../azure/acs-errors";
import type { CallOptions, IdentityProvider, IssuedToken, TeamsUserToken } from "../azure/identity-provider";
import type { Clock } from "../clock";
import { startDeadline } from "../deadline";
import { checkIdentityId } from "../identities/identity-id";
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import { GuardedStore } from "./guarded-store";
import { Issuance, type ServedToken } from "./issuance";
import { RefreshAhead } from "./refresh-ahead";
import type { RevocationNotices } from "./revocation-notices";
import { Revocations, type Cause } from "./revocations";
import { SingleFlight, type Moment } from "./single-flight";
import { canonicalScopes, checkLifetime, tokenKey, type TokenKey } from "./token-key";
import { tokenScopes, type TokenScope } from "./token-scope";
import type { CachedToken, TokenStore } from "./token-store";

export type { ServedToken } from "./issuance";

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

/** Issues, caches and revokes tokens. What it promises, and what of a store, stands in `token-store.ts`. */
export class TokenService implements AsyncDisposable {
  private readonly store: GuardedStore;
  private readonly flights: SingleFlight<ServedToken>;
  private readonly issuance: Issuance;
  private readonly refreshAhead: RefreshAhead;
  private readonly revocations: Revocations;

  constructor(
    store: TokenStore<CachedToken>,
    private readonly azure: IdentityProvider,
    private readonly clock: Clock,
    private readonly events: Pick<
      Events,
      | "tokenServed"
      | "flightJoined"
      | "tokenSuperseded"
      | "tokenRenewed"
      | "tokensRevoked"
      | "revocationCompleted"
      | "revocationsUnfinished"
      | "storeUnavailable"
    >,
    /** A token with less life left than this many milliseconds is not served from the cache. */
    minRemainingMs: number,
    /** Tells whoever listens that an identity's tokens have ended. */
    notices?: Pick<RevocationNotices, "tell">,
  ) {
    this.store = new GuardedStore(store, events);
    this.flights = new SingleFlight(() => {
      events.flightJoined("process");
    });
    const moment = () => this.flights.moment();
    this.revocations = new Revocations(this.store, events, (identityId, cause) => {
      notices?.tell(identityId, { cause, revokedAt: clock.now() });
    });
    const owes = (identityId: string) => this.revocations.owes(identityId);
    this.issuance = new Issuance(this.store, azure, clock, events, minRemainingMs, moment, owes);
    this.refreshAhead = new RefreshAhead(this.issuance, clock, events, minRemainingMs);
  }

  /**
   * A token for exactly these scopes and this lifetime. Rejects with `BAD_USER_INPUT`, the errors of
   * {@link IdentityProvider}, or `TOKEN_REVOKED_DURING_ISSUE`; never because the store is away.
   */
  async issue(request: TokenRequest, call: CallOptions): Promise<ServedToken> {
    const key = tokenKey(
      checkIdentityId(request.identityId, "input.identityId"),
      canonicalScopes(request.scopes),
      checkLifetime(request.lifetimeMinutes),
      this.azure.credentialOf(request.identityId),
    );
    const began = this.flights.moment();
    let withoutStore = this.revocations.owes(key.identityId)
      ? !(await this.revocations.settled(key.identityId))
      : false;
    if (!withoutStore && !request.forceRefresh) {
      const answer = await this.store.read(key, call.span);
      const cached = typeof answer === "string" ? undefined : answer.value;
      if (cached && this.issuance.isFresh(cached)) {
        this.refreshAhead.consider(key, cached, call.span);
        // Not spread: this is what most requests come to, and V8 makes of a spread an object that outlives them.
        const { token, expiresOn, scopes } = cached;
        return this.served(key, { token, expiresOn, scopes, source: "cache" });
      }
      // One that is late is asked once more, for the lease: in a stampede it has the token by then.
      withoutStore = answer === "away";
    }
    return this.served(key, await this.obtain(key, began, request.forceRefresh, withoutStore, call));
  }

  /** Keeps a token that came with a new identity, whose id nobody else knows yet. Does its best; never rejects. */
  async remember(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    issued: IssuedToken,
    span?: Span,
  ): Promise<void> {
    const key = tokenKey(identityId, scopes, lifetimeMinutes, this.azure.credentialOf(identityId));
    await this.issuance.remember(key, issued, span);
  }

  /**
   * Revokes every token of the identity. Once it has resolved, no gateway on the same store serves a token from
   * before. Rejects with the errors of {@link IdentityProvider}, or `CACHE_UNAVAILABLE` when Azure has revoked but
   * the store could not be told.
   */
  async revoke(
    identityId: string,
    { account, span }: Pick<CallOptions, "account" | "span">,
  ): Promise<{ readonly effectiveBy: number }> {
    checkIdentityId(identityId, "input.identityId");
    const act = () => this.azure.revokeTokens(identityId, { account, span });
    await this.endTokens(identityId, "revocation", act, span);
    return { effectiveBy: this.clock.now() + revocationEffectMs };
  }

  /**
   * The bracket of a revocation around `act`, Azure's part of it. A caller that leaves does not cancel it: half a
   * revocation helps nobody.
   */
  async endTokens(identityId: string, cause: Cause, act: () => Promise<void>, span?: Span): Promise<void> {
    await this.revocations.bracket(identityId, cause, act, span);
  }

  /** Tells the store of revocations that it was away for. To be called when it is back. */
  async storeIsBack(): Promise<void> {
    await this.revocations.finish();
  }

  /** Identities of whose revocation the store could not be told yet. */
  get revocationsOwed(): number {
    return this.revocations.owed;
  }

  /** What is cached for each identity, in the order asked for; nothing while the store is away. */
  async cachedTokens(identityIds: readonly string[]): Promise<CachedTokenSummary[][]> {
    const lists = await this.store.ask("list", (store) => store.list(identityIds));
    return identityIds.map((identityId, index) => {
      const credential = this.azure.credentialOf(identityId);
      return (lists?.value[index] ?? [])
        .filter(({ key, value }) => key.credential === credential && this.issuance.isFresh(value))
        .map(({ value: { scopes, expiresOn } }) => ({ scopes, expiresOn }));
    });
  }

  /** Exchanges a Teams user's Entra token. Never cached: what it answers with belongs to that one Entra token. */
  async exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<ServedToken> {
    const issued = await this.withDeadline(call, (signal) =>
      this.azure.exchangeTeamsToken(teams, { signal, account: call.account, span: call.span }),
    );
    return {
      ...issued,
      scopes: tokenScopes.filter((scope) => scope === "chat" || scope === "voip"),
      source: "issued",
    };
  }

  /** Ends what runs in the background, and tells the store once more of revocations that it was away for. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.revocations.close();
    await this.refreshAhead[Symbol.asyncDispose]();
  }

  private obtain(
    key: TokenKey,
    began: Moment,
    force: boolean,
    withoutStore: boolean,
    call: CallOptions,
  ): Promise<ServedToken> {
    // A forced refresh does not join a plain issuance, which might answer with the very token that is refused.
    const run = force ? `force ${key.text}` : key.text;
    return this.withDeadline(call, (signal) =>
      this.flights.run(
        run,
        began,
        signal,
        (flight) => this.issuance.obtain(key, { force, withoutStore, ...flight, account: call.account }),
        call.span,
      ),
    );
  }

  private served({ scopes, lifetimeMinutes }: TokenKey, token: ServedToken): ServedToken {
    this.events.tokenServed({ source: token.source, scopes, lifetimeMinutes });
    return token;
  }

  private async withDeadline<T>(call: CallOptions, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    using deadline = startDeadline(this.azure.deadlineMs, call.signal);
    try {
      return await run(deadline.signal);
    } catch (error) {
      if (error instanceof GatewayError || !deadline.signal.aborted) throw error;
      throw acsUnavailable("did not answer in time");
    }
  }
}
