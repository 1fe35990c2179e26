/** Picks the way to find out who is calling from the credential that was sent. */
import { GatewayError } from "../../errors";
import type { ApiKeyAuthenticator } from "./api-key-authenticator";
import type { Caller } from "./caller";

/** The headers that can carry a credential. */
export interface Credentials {
  /** `x-api-key`. */
  readonly apiKey: string | undefined;
  /** `Authorization`. */
  readonly authorization: string | undefined;
}

/** Verifies whatever credential a request carries. */
export class CallerAuthenticator {
  constructor(private readonly apiKeys: ApiKeyAuthenticator) {}

  /**
   * The caller; undefined when no credential was sent, which is for the access rules to judge. A credential that is
   * sent but not valid is refused here with `UNAUTHENTICATED`, even if the operation would be open to everyone.
   */
  authenticate({ apiKey, authorization }: Credentials): Caller | undefined {
    if (authorization !== undefined) {
      throw new GatewayError(
        "UNAUTHENTICATED",
        "This gateway takes no Authorization header: send your API key in the header x-api-key.",
      );
    }
    if (apiKey === undefined) return undefined;
    const caller = this.apiKeys.authenticate(apiKey);
    if (!caller)
      throw new GatewayError("UNAUTHENTICATED", "The API key in the header x-api-key is not valid.");
    return caller;
  }
}
