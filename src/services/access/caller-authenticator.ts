/** Picks the way to find out who is calling from the credential that was sent. */
import { GatewayError } from "../../errors";
import type { ApiKeyAuthenticator } from "./api-key-authenticator";
import type { Caller } from "./caller";
import type { KeysState } from "./issuer-keys";
import type { OidcAuthenticator } from "./oidc-authenticator";

/** The headers that can carry a credential. */
export interface Credentials {
  /** `x-api-key`. */
  readonly apiKey: string | undefined;
  /** `Authorization`. */
  readonly authorization: string | undefined;
}

/** Verifies whatever credential a request carries. */
export class CallerAuthenticator {
  constructor(
    private readonly apiKeys: ApiKeyAuthenticator,
    /** Undefined: no issuer is trusted, so there are no access tokens. */
    private readonly accessTokens: OidcAuthenticator | undefined,
  ) {}

  /** How the issuers' keys are; undefined when no issuer is trusted. */
  get issuerKeys(): KeysState | undefined {
    return this.accessTokens?.keysState;
  }

  /** Calls `listener` whenever the API keys in force change. */
  onApiKeysChange(listener: () => void): void {
    this.apiKeys.keys.onChange?.(listener);
  }

  /**
   * The caller; undefined when no credential was sent, which is for the access rules to judge. A credential that is
   * sent but not valid is refused here with `UNAUTHENTICATED`, even if the operation would be open to everyone; so
   * are two credentials, for who calls must not depend on which of them is looked at first.
   */
  authenticate({ apiKey, authorization }: Credentials): Caller | undefined | Promise<Caller> {
    if (authorization === undefined) return apiKey === undefined ? undefined : this.byApiKey(apiKey);
    if (!this.accessTokens) {
      throw unauthenticated(
        "This gateway trusts no issuer of access tokens: leave the Authorization header out and send your API key in the header x-api-key.",
      );
    }
    if (apiKey !== undefined) {
      throw unauthenticated("Send either an access token or an API key, not both.");
    }
    // Whose token was verified before is known by its very text.
    if (authorization.startsWith("Bearer ")) {
      const known = this.accessTokens.known(authorization.slice("Bearer ".length));
      if (known) return known;
    }
    // RFC 9110, section 11.1: the name of the scheme is case-insensitive.
    const token = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      throw unauthenticated("The Authorization header must be: Bearer <access token>.");
    }
    return this.accessTokens.authenticate(token);
  }

  private byApiKey(apiKey: string): Caller {
    const caller = this.apiKeys.authenticate(apiKey);
    if (!caller) throw unauthenticated("The API key in the header x-api-key is not valid, or has expired.");
    return caller;
  }
}

function unauthenticated(message: string): GatewayError {
  return new GatewayError("UNAUTHENTICATED", message);
}
