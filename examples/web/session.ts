/** A user's ACS token: kept good by the credential, renewed when it is revoked. This is the part to copy. */
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import {
  createTokenRefresher,
  watchRevocations,
  type IssuedToken,
  type TokenRefreshError,
  type TokenRefresher,
  type TokenScope,
} from "acs-token-gateway/client";

/** Which token is wanted. */
export interface Wish {
  readonly scopes: readonly TokenScope[];
  readonly minutes: number;
  readonly device: string | undefined;
}

/** What a session tells whoever shows it. */
export interface SessionEvents {
  /** A token has come, in so many milliseconds. */
  onToken(issued: IssuedToken, tookMs: number): void;
  /** An attempt has failed; `inMs` says when the next one is. */
  onFailure(error: TokenRefreshError, retry: { readonly inMs: number } | undefined): void;
  /** Somebody has revoked the token; a new one is on its way. */
  onRevoked(): void;
}

/** Who asks, and where. */
export interface Caller {
  readonly endpoint: string;
  readonly authorization: () => Promise<string>;
}

/** Gets tokens until it is ended. */
export class Session {
  readonly #end = new AbortController();
  readonly #refresh: TokenRefresher;
  #credential: AzureCommunicationTokenCredential | undefined;
  #askedAt = 0;

  constructor(
    private readonly caller: Caller,
    private readonly wish: Wish,
    private readonly events: SessionEvents,
  ) {
    const { endpoint, authorization } = caller;
    const { scopes, minutes, device } = wish;
    const { signal } = this.#end;
    const whose = device === undefined ? {} : { device };
    this.#refresh = createTokenRefresher({
      endpoint,
      getAuthorization: () => {
        this.#askedAt = performance.now();
        return authorization();
      },
      scopes,
      expiresInMinutes: minutes,
      ...whose,
      signal,
      onToken: (issued) => {
        events.onToken(issued, performance.now() - this.#askedAt);
      },
      onFailure: (error, retry) => {
        events.onFailure(error, retry);
      },
    });
    void watchRevocations({
      endpoint,
      getAuthorization: authorization,
      ...whose,
      signal,
      onRevoked: () => {
        events.onRevoked();
        void this.renew().catch(() => undefined);
      },
    });
  }

  /** The credential for ChatClient and CallClient; the first call waits for the first token. */
  async credential(): Promise<AzureCommunicationTokenCredential> {
    return (this.#credential ??= await this.#makeCredential());
  }

  /** Asks the gateway once more, as the credential does by itself in time. */
  async askAgain(): Promise<void> {
    await this.#refresh();
  }

  /** Has a new token issued although the last one has not expired. */
  async renew(): Promise<void> {
    // First: its timer must not ask for a token that nobody waits for.
    this.#credential?.dispose();
    this.#refresh.invalidate();
    this.#credential = await this.#makeCredential();
  }

  /** Revokes all of the identity's tokens. Resolves with the time by which ACS refuses them everywhere. */
  async revoke(): Promise<Date> {
    const { endpoint, authorization } = this.caller;
    const query = `mutation RevokeTokens($input: RevokeTokensInput!) {
      revokeTokens(input: $input) { effectiveBy }
    }`;
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: await authorization() },
      body: JSON.stringify({ query, variables: { input: { device: this.wish.device } } }),
      signal: this.#end.signal,
    });
    const { data, errors } = (await response.json()) as {
      data?: { revokeTokens: { effectiveBy: string } } | null;
      errors?: readonly { message: string }[];
    };
    if (!data) throw new Error(errors?.[0]?.message ?? `The gateway answered ${response.status}.`);
    return new Date(data.revokeTokens.effectiveBy);
  }

  /** Stops asking and listening. */
  end(): void {
    this.#end.abort();
    this.#credential?.dispose();
  }

  async #makeCredential(): Promise<AzureCommunicationTokenCredential> {
    return new AzureCommunicationTokenCredential({
      token: await this.#refresh(),
      tokenRefresher: this.#refresh,
      refreshProactively: true,
    });
  }
}
