/** A served token as the schema's AccessToken. */
import type { ServedToken } from "../services/tokens/token-service";
import type { AccessToken, TokenSource } from "../schema/access-token";
import type { TokenScope } from "../schema/token-scope";

/** Decides nothing: the enums' values are the services' own words, and the time becomes a Date. */
export function toAccessToken({ token, expiresOn, scopes, source }: ServedToken): AccessToken {
  return {
    token,
    expiresOn: new Date(expiresOn),
    scopes: scopes as readonly TokenScope[],
    source: source as TokenSource,
  };
}
