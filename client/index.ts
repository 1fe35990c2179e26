/** What frontends import as `acs-token-gateway/client`. */
export { TokenRefreshError, type GatewayOptions } from "./gateway-request.ts";
export {
  createTokenRefresher,
  type AbortSignalLike,
  type IssuedToken,
  type TokenRefresher,
  type TokenRefresherOptions,
  type TokenScope,
} from "./token-refresher.ts";
export { watchRevocations, type TokenRevocation, type WatchOptions } from "./watch-revocations.ts";
