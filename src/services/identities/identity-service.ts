/** Creates and deletes identities at ACS; a deletion is a revocation first. */
import { badInput, GatewayError } from "../../errors";
import { acsUnavailable } from "../azure/acs-errors";
import { CreateAttempts } from "../azure/create-attempts";
import type { CallOptions, IdentityProvider } from "../azure/identity-provider";
import { mostHopeful } from "../azure/create-failure";
import type { Events } from "../telemetry/events";
import { canonicalScopes, checkLifetime, lifetimeMinutes as lifetimes } from "../tokens/token-key";
import type { TokenScope } from "../tokens/token-scope";
import type { ServedToken, TokenService } from "../tokens/token-service";
import { failedCreate, type CreateOutcome } from "./create-outcome";
import { checkIdentityId } from "./identity-id";
import type { Orphans } from "./orphans";

/** What a new identity comes with. */
export interface NewIdentity {
  /** A token for these scopes, in the same call to ACS; none when not given. */
  readonly scopes?: readonly TokenScope[] | undefined;
  /** Whole minutes, 60 to 1440; only together with `scopes`. */
  readonly lifetimeMinutes?: number | undefined;
}

/** An identity, and its token if one was requested. */
export interface CreatedIdentity {
  readonly identityId: string;
  readonly token?: ServedToken;
}

/** Who waits for a create. */
export interface CreateCall extends CallOptions {
  /**
   * Resolves when the answer to the caller is over: true when it has left with what was created, false when the
   * caller was gone or got an error instead. Without it, what `create` resolves with counts as received.
   */
  readonly answered?: Promise<boolean>;
  /**
   * Binds the new identity before the caller gets it. False: it is not bound, and is deleted. A rejection refuses the
   * caller and leaves open whether it is bound, so `keep` is called again before the identity is deleted.
   */
  readonly keep?: (identityId: string) => Promise<boolean>;
}

/** Nobody keeps the identity that was created. */
export class NotKept extends Error {
  override readonly name = "NotKept";
}

interface TokenWish {
  readonly scopes: readonly TokenScope[];
  readonly lifetimeMinutes: number;
}

/** The share of the time left after which a resource that has not answered is left for another one. */
const patienceShare = 0.45;
/** The least share of the deadline for which another resource is worth asking. */
const leastShare = 0.1;

/** Creates and deletes identities. */
export class IdentityService {
  constructor(
    private readonly azure: IdentityProvider,
    private readonly tokens: TokenService,
    private readonly events: Pick<Events, "identityCreated" | "identityDeleted">,
    private readonly orphans: Pick<Orphans, "awaitAnswer" | "delete">,
  ) {}

  /**
   * Creates an identity at ACS, with or without a token, within the deadline of a call. Rejects as
   * {@link IdentityProvider} does. An identity that the caller does not receive is deleted in the background.
   */
  async create(wanted: NewIdentity, call: CreateCall): Promise<CreatedIdentity> {
    const wish = tokenWish(wanted);
    const attempts = new CreateAttempts();
    const end = performance.now() + this.azure.deadlineMs;
    const failures: unknown[] = [];
    for (;;) {
      const asked = this.ask(wish, call, attempts);
      const outcome = await this.inTime(asked, attempts, end);
      if (outcome?.kind === "created") return this.deliver(outcome, wish, call);
      // ACS may still answer.
      this.orphans.awaitAnswer(asked, call.span);
      failures.push(outcome?.error ?? acsUnavailable("did not answer in time"));
      // What one resource may have created is deleted when it is known: another one may be asked for the caller.
      const mayGoOn = attempts.more && outcome?.kind !== "nothing" && !call.signal?.aborted;
      if (!mayGoOn || end - performance.now() < this.azure.deadlineMs * leastShare) {
        throw mostHopeful(failures);
      }
    }
  }

  /** Deletes an identity with all its tokens and data; one that is gone already counts as deleted. */
  async delete(
    identityId: string,
    { account, background, span }: Pick<CallOptions, "account" | "background" | "span">,
  ): Promise<void> {
    checkIdentityId(identityId, "input.identityId");
    const call = { account, span, ...(background ? { background } : {}) };
    const act = () => this.azure.deleteIdentity(identityId, call);
    await this.tokens.endTokens(identityId, "deletion", act, span);
    this.events.identityDeleted();
  }

  /** The outcome; undefined at the end, or when it takes so long that another resource should be asked. */
  private async inTime(
    asked: Promise<CreateOutcome>,
    attempts: CreateAttempts,
    end: number,
  ): Promise<CreateOutcome | undefined> {
    const leftMs = () => Math.max(0, end - performance.now());
    const soon = await within(leftMs() * patienceShare, asked);
    return soon ?? (attempts.more ? undefined : within(leftMs(), asked));
  }

  /** Asks ACS, and goes on when the caller leaves: an id that nobody hears cannot be deleted. Never rejects. */
  private async ask(
    wish: TokenWish | undefined,
    { account, span }: CallOptions,
    attempts: CreateAttempts,
  ): Promise<CreateOutcome> {
    let named: string | undefined;
    const onIdentity = (identityId: string) => {
      named = identityId;
    };
    try {
      const options = { onIdentity, account, attempts, span };
      const { identityId, token } = await this.azure.createIdentity(wish, options);
      return { kind: "created", identityId, token };
    } catch (error) {
      return failedCreate(error, named);
    }
  }

  private async deliver(
    { identityId, token }: CreateOutcome & { readonly kind: "created" },
    wish: TokenWish | undefined,
    { keep, signal, answered, span }: CreateCall,
  ): Promise<CreatedIdentity> {
    const kept = await (keep?.(identityId) ?? Promise.resolve(true)).catch((error: unknown) => {
      void this.orphans.delete({ identityId, span, isKept: keep });
      throw error;
    });
    if (!kept || signal?.aborted) {
      void this.orphans.delete({ identityId, span });
      throw kept ? callerGone() : new NotKept();
    }
    if (wish && token) {
      await this.tokens.remember(identityId, wish.scopes, wish.lifetimeMinutes, token, span);
    }
    this.events.identityCreated({ withToken: wish !== undefined });
    void answered?.then((received) => {
      if (!received) void this.orphans.delete({ identityId, span });
    });
    if (!wish || !token) return { identityId };
    return { identityId, token: { ...token, scopes: wish.scopes, source: "issued" } };
  }
}

function tokenWish({ scopes, lifetimeMinutes }: NewIdentity): TokenWish | undefined {
  if (scopes) {
    return {
      scopes: canonicalScopes(scopes),
      lifetimeMinutes: checkLifetime(lifetimeMinutes ?? lifetimes.default),
    };
  }
  if (lifetimeMinutes === undefined) return undefined;
  throw badInput(
    "input.expiresInMinutes",
    "expiresInMinutes is a token's lifetime: name the token's scopes too.",
  );
}

/** The outcome, or undefined when it takes longer. */
async function within<T>(ms: number, outcome: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([outcome, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error of a caller who cannot read it. */
function callerGone(): GatewayError {
  return new GatewayError("UPSTREAM_UNAVAILABLE", "The caller has left; the new identity is deleted.");
}
