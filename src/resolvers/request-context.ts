/** One request's caller, cancellation and DataLoaders. */
import DataLoader from "dataloader";
import type { Caller } from "../services/access/caller";
import type { CallerAuthenticator, Credentials } from "../services/access/caller-authenticator";
import type { CachedTokenSummary, TokenService } from "../services/tokens/token-service";

/** What becomes of a request. */
export interface AnsweredRequest {
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** Resolves when the exchange is over: whether the client was sent an answer with data. */
  readonly answered: Promise<boolean>;
}

/** What resolvers know of the request that they answer. */
export interface RequestContext {
  /** Who is calling; undefined when no credential was sent. */
  readonly caller: Caller | undefined;
  readonly request: AnsweredRequest;
  /** What is cached per identity: the lookups of one request cost one round trip. */
  readonly cachedTokens: DataLoader<string, CachedTokenSummary[]>;
}

/** The context of one request. Throws `UNAUTHENTICATED` when a credential was sent that is not valid. */
export function requestContext(
  credentials: Credentials,
  request: AnsweredRequest,
  callers: CallerAuthenticator,
  tokens: Pick<TokenService, "cachedTokens">,
): RequestContext {
  const caller = callers.authenticate(credentials);
  return {
    caller,
    request,
    // Batches only: a mutation later in the same document may change what an earlier one has looked up.
    cachedTokens: new DataLoader((ids) => tokens.cachedTokens(ids), { cache: false, maxBatchSize: 100 }),
  };
}
