/** The port to Azure: what the gateway asks of ACS Identity, in its own words. */
import type { Span } from "../telemetry/span";
import type { TokenScope } from "../tokens/token-scope";
import type { CreateAttempts } from "./create-attempts";
import type { UpstreamReading } from "./acs-policies";

/** A token as Azure issued it. */
export interface IssuedToken {
  readonly token: string;
  /** The earlier of the answer's `expiresOn` and the token's own `exp`, in milliseconds since the epoch. */
  readonly expiresOn: number;
}

/** Who pays for a call. Calls that belong to nobody are charged to nobody. */
export interface Account {
  /** Called once for each call to Azure, before it is made. Throws `RATE_LIMITED` when it is one too many. */
  charge(): void;
}

/** What every call takes. */
export interface CallOptions {
  /** On whose account it is made. */
  readonly account?: Account | undefined;
  /** Cancels the call when nobody waits for it any more. */
  readonly signal?: AbortSignal;
  /** Nobody waits for it: it gives way to calls that somebody waits for. */
  readonly background?: boolean;
  /** The work that it is a part of; undefined: it is not traced. */
  readonly span?: Span | undefined;
  /** The longest that it waits for its turn, in milliseconds, if that is less than usual: others can be asked instead. */
  readonly turnMs?: number;
  /** All that it may take, in milliseconds, if that is less than usual. */
  readonly deadlineMs?: number;
}

/** How a provider is; `partly`: some of its resources fail. */
export type ProviderState = "ok" | "partly" | "failing";

/** A resource that is watched. */
export interface ProviderResource {
  /** Its host. */
  readonly resource: string;
  /** How the calls of each operation stand. Never rejects. */
  readonly read: () => Promise<readonly UpstreamReading[]>;
}

/** What a create takes. */
export interface CreateOptions extends CallOptions {
  /** Told the identity's id as soon as Azure has named it, even if the rest of the answer is then refused. */
  readonly onIdentity?: (identityId: string) => void;
  /** The same for each call of one create, which so goes to another resource each time. */
  readonly attempts?: CreateAttempts;
}

/** A Teams user's Entra token, and whom it is for. */
export interface TeamsUserToken {
  readonly teamsUserAadToken: string;
  /** The application (client) id that the token was made for. */
  readonly clientId: string;
  /** The user's object id in Entra. */
  readonly userObjectId: string;
}

/**
 * ACS Identity. Every method but `createIdentity` ends within the configured deadline; all reject with a `GatewayError`:
 * `IDENTITY_NOT_FOUND`, `BAD_USER_INPUT`, `RATE_LIMITED`, `UPSTREAM_REJECTED` or `UPSTREAM_UNAVAILABLE`.
 */
export interface IdentityProvider {
  /**
   * Tells the credential that issues the identity's tokens from others: tokens made with an access key die when that
   * key is rotated. Asked for every token that is served, so it is quick.
   */
  credentialOf(identityId: string): string;
  /** The deadline of each call, in milliseconds. */
  readonly deadlineMs: number;
  /**
   * Makes an identity, and with `token` a token for it in the same call. Never repeated: it is not idempotent. Another
   * resource is asked only after one that has certainly made nothing. The answer is listened for well beyond the
   * deadline, for it alone tells the identity's id.
   */
  createIdentity(
    token: { readonly scopes: readonly TokenScope[]; readonly lifetimeMinutes: number } | undefined,
    call: CreateOptions,
  ): Promise<{ readonly identityId: string; readonly token?: IssuedToken }>;
  /** Issues a token. Tokens issued before stay valid. */
  issueToken(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    call: CallOptions,
  ): Promise<IssuedToken>;
  /** Ends every token of the identity issued so far. */
  revokeTokens(identityId: string, call: CallOptions): Promise<void>;
  /** Deletes the identity and its data. An identity that is already gone counts as deleted. */
  deleteIdentity(identityId: string, call: CallOptions): Promise<void>;
  /** Exchanges a Teams user's Entra token for an ACS token that acts as that user. */
  exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<IssuedToken>;
}

/** A provider as the process has it. Disposing of it ends its connections. */
export interface ProcessProvider extends IdentityProvider, AsyncDisposable {
  /** Whether Azure has failed so often that calls are held back: at no resource, at some of them, at all. */
  readonly state: ProviderState;
  /** Its resources, to be watched. */
  readonly resources: readonly ProviderResource[];
  /** Makes one connection to each resource, so that the first call need not wait for it. Never rejects; two seconds at most. */
  preconnect(): Promise<void>;
}
