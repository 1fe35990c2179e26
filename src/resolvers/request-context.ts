/** One request's caller, limits, audit, cancellation and DataLoaders. */
import DataLoader from "dataloader";
import { GatewayError } from "../errors";
import type { Caller } from "../services/access/caller";
import type { CallerAuthenticator, Credentials } from "../services/access/caller-authenticator";
import type { RequestLimits } from "../services/access/request-limits";
import type { CreateCall } from "../services/identities/identity-service";
import {
  mustBeWritable,
  type Audit,
  type AuditedAction,
  type AuditRecord,
} from "../services/telemetry/audit";
import type { Span } from "../services/telemetry/span";
import type { CachedTokenSummary, TokenService } from "../services/tokens/token-service";
import type {
  About,
  AnsweredRequest,
  KnownOwner,
  Lookups,
  RequestContext,
  RevocationEvent,
  Target,
} from "./context";
import type { RevocationFeed } from "./revocation-feed";

/** What a context is made with. */
export interface ContextParts {
  readonly callers: CallerAuthenticator;
  readonly limits: RequestLimits;
  readonly audit: Audit;
  readonly tokens: Pick<TokenService, "cachedTokens">;
  readonly revocations: RevocationFeed;
  /** Whose the identities are, in the order asked for. */
  readonly ownersOf: (identityIds: readonly string[]) => Promise<(KnownOwner | undefined)[]>;
}

/**
 * The context of one request. Throws or rejects with `UNAUTHENTICATED` when a credential was sent that is not valid,
 * `ISSUER_UNAVAILABLE`, and `RATE_LIMITED` when the caller, or a stranger's address, has sent too many requests.
 */
export function requestContext(
  credentials: Credentials,
  request: AnsweredRequest,
  parts: ContextParts,
): RequestContext | Promise<RequestContext> {
  const made = (caller: Caller | undefined) => {
    request.caller = caller;
    if (caller) parts.limits.admitCaller(caller);
    return new Request(caller, request, parts, credentials);
  };
  const caller = authenticated(credentials, request, parts);
  // Whoever was here before is known at once.
  return caller instanceof Promise ? caller.then(made) : made(caller);
}

/** What is not asked for is not made. */
class Request implements RequestContext {
  readonly call: CreateCall;
  private looked: BatchedLookups | undefined;

  constructor(
    readonly caller: Caller | undefined,
    private readonly request: AnsweredRequest,
    private readonly parts: ContextParts,
    private readonly credentials: Credentials,
  ) {
    this.call = new Call(request, caller, parts.limits);
  }

  get lookups(): Lookups {
    return (this.looked ??= new BatchedLookups(this.parts.tokens, this.parts.ownersOf));
  }

  authenticateAgain(): Caller | undefined | Promise<Caller> {
    return this.parts.callers.authenticate(this.credentials);
  }

  revocations(target: Target): Promise<AsyncIterableIterator<RevocationEvent, undefined>> {
    return this.parts.revocations.follow(this, target);
  }

  refused(action: AuditedAction): void {
    this.enter(action, "FORBIDDEN", {});
  }

  async audited<T>(action: AuditedAction, about: About, act: () => Promise<T>): Promise<T> {
    mustBeWritable(this.parts.audit);
    this.request.isAudited = true;
    try {
      const result = await act();
      this.enter(action, "ok", about);
      return result;
    } catch (error) {
      this.enter(action, error instanceof GatewayError ? error.code : "INTERNAL_SERVER_ERROR", about);
      throw error;
    }
  }

  private enter(action: AuditedAction, outcome: AuditRecord["outcome"], about: About): void {
    const { caller, request } = this;
    // Not spread: V8 makes of a spread an object that outlives the request.
    const { identityId, device, scopes, lifetimeMinutes, source, userObjectId, change } = about;
    this.parts.audit.record({
      action,
      outcome,
      caller,
      identityId,
      device,
      scopes,
      lifetimeMinutes,
      source,
      userObjectId,
      change,
      address: request.address,
      requestId: request.id,
      traceId: request.span?.traceId,
    });
  }
}

/**
 * What one request looks up of identities, many in one round trip. Made when it is asked for, which most requests do not.
 * @public The benchmark's peers use it.
 */
export class BatchedLookups implements Lookups {
  private cached: DataLoader<string, CachedTokenSummary[]> | undefined;
  private known: DataLoader<string, KnownOwner | undefined> | undefined;

  constructor(
    private readonly tokens: ContextParts["tokens"],
    private readonly ownersOf: ContextParts["ownersOf"],
  ) {}

  /** What is cached for an identity. */
  get cachedTokens(): DataLoader<string, CachedTokenSummary[]> {
    return (this.cached ??= new DataLoader((ids) => this.tokens.cachedTokens(ids), batchesOnly));
  }

  /** Whose an identity is in the directory. */
  get owners(): DataLoader<string, KnownOwner | undefined> {
    return (this.known ??= new DataLoader(this.ownersOf, batchesOnly));
  }
}

/** A mutation later in the same document may change what an earlier one has looked up. */
const batchesOnly = { cache: false, maxBatchSize: 100 };

/** Made on the request's own objects, so that what nobody asks for is never made. */
class Call implements CreateCall {
  constructor(
    private readonly request: AnsweredRequest,
    private readonly caller: Caller | undefined,
    private readonly limits: RequestLimits,
  ) {}

  get signal(): AbortSignal {
    return this.request.signal;
  }

  get answered(): Promise<boolean> {
    return this.request.answered;
  }

  get span(): Span | undefined {
    return this.request.span;
  }

  get account() {
    return this.caller && this.limits.accountOf(this.caller, this.request.address);
  }
}

function authenticated(
  credentials: Credentials,
  request: AnsweredRequest,
  { callers, limits, audit }: ContextParts,
): Caller | undefined | Promise<Caller> {
  // A service has a limit of its own, and all its users' requests come from its address. Who is none is a stranger.
  const asService = credentials.apiKey !== undefined && credentials.authorization === undefined;
  if (!asService) limits.admitAddress(request.address);
  const refused = (error: unknown): never => {
    const { address, id: requestId, span } = request;
    // Before it is recorded: a client that is refused for asking too often does not fill the audit.
    if (asService) limits.admitAddress(address);
    const outcome = error instanceof GatewayError ? error.code : "INTERNAL_SERVER_ERROR";
    const traceId = span?.traceId;
    audit.record({ action: "caller.authenticate", outcome, caller: undefined, address, requestId, traceId });
    throw error;
  };
  try {
    const caller = callers.authenticate(credentials);
    return caller instanceof Promise ? caller.catch(refused) : caller;
  } catch (error) {
    return refused(error);
  }
}
