/** Makes and deletes identities; a deletion is a revocation first. */
import { badInput, GatewayError } from "../../errors";
import { CreateTries } from "../azure/create-tries";
import type { CallOptions, IdentityProvider } from "../azure/identity-provider";
import { mostHopeful } from "../azure/made-nothing";
import type { Events } from "../telemetry/events";
import { canonicalScopes, checkLifetime, lifetimeMinutes as lifetimes } from "../tokens/token-key";
import type { TokenScope } from "../tokens/token-scope";
import type { ServedToken, TokenService } from "../tokens/token-service";
import { failedCreate, type CreateOutcome } from "./create-outcome";
import type { CreateRecords } from "./create-records";
import type { Create } from "./fallback-create-journal";
import { checkIdentityId } from "./identity-id";

/** What a new identity is to come with. */
export interface NewIdentity {
  /** A token for these scopes, in the same call to Azure; none when not given. */
  readonly scopes?: readonly TokenScope[] | undefined;
  /** Whole minutes, 60 to 1440; only together with `scopes`. */
  readonly lifetimeMinutes?: number | undefined;
}

/** An identity, and its token if one was asked for. */
export interface CreatedIdentity {
  readonly identityId: string;
  readonly token?: ServedToken;
}

/** Who waits for a create. */
export interface CreateCall extends CallOptions {
  /**
   * Resolves when the answer to the caller is over: true when it has left with what was created, false when the
   * caller was gone or got an error instead. Without it, what `create` resolves with counts as told.
   */
  readonly answered?: Promise<boolean>;
  /**
   * Asked, as soon as the identity is known and entered, whether somebody keeps it. `lost`: nobody does, and it is
   * deleted. `unknown`: it stays in the journal, and the sweeper asks again before it deletes it.
   */
  readonly keep?: (identityId: string) => Promise<Kept>;
}

/** Whether an identity that was made is kept. */
export type Kept = "kept" | "lost" | "unknown";

/** Nobody keeps the identity that was made, as far as is known. */
export class NotKept extends Error {
  override readonly name = "NotKept";
  constructor(readonly kept: Exclude<Kept, "kept">) {
    super("Nobody keeps the identity that was made.");
  }
}

interface TokenWish {
  readonly scopes: readonly TokenScope[];
  readonly lifetimeMinutes: number;
}

/** The share of the time left after which a resource that has not answered is left for another one. */
const patienceShare = 0.45;
/** The least share of the deadline that is worth to begin with another one. */
const leastShare = 0.1;

/** The life of identities. */
export class IdentityService {
  constructor(
    private readonly azure: IdentityProvider,
    private readonly tokens: TokenService,
    private readonly events: Pick<Events, "identityCreated" | "identityDeleted" | "internalError">,
    private readonly records: CreateRecords,
  ) {}

  /**
   * Makes an identity at Azure, with or without a token, within the deadline of a call. Rejects as
   * {@link IdentityProvider} does. An identity that the caller is not told of is deleted in the background.
   */
  async create(wanted: NewIdentity, call: CreateCall): Promise<CreatedIdentity> {
    const wish = tokenWish(wanted);
    const tries = new CreateTries();
    const end = performance.now() + this.azure.deadlineMs;
    const failures: unknown[] = [];
    for (;;) {
      const create = await this.records.journal.begin(call.span);
      const asked = this.ask(wish, call, tries);
      const outcome = await this.inTime(asked, tries, end);
      if (outcome?.kind === "made") return this.finish(create, outcome, wish, call);
      // Azure may still answer, and what it then says is worth to be known.
      this.inBackground(asked.then((late) => this.putAside(create, late)));
      failures.push(outcome?.error ?? notInTime());
      // What one resource may have made is the journal's: another one may be asked for the caller.
      const mayGoOn = tries.more && outcome?.kind !== "nothing" && !call.signal?.aborted;
      if (!mayGoOn || end - performance.now() < this.azure.deadlineMs * leastShare) {
        throw mostHopeful(failures);
      }
    }
  }

  /** The outcome; undefined at the end, or when it takes so long that another resource had better be asked. */
  private async inTime(
    asked: Promise<CreateOutcome>,
    tries: CreateTries,
    end: number,
  ): Promise<CreateOutcome | undefined> {
    const leftMs = () => Math.max(0, end - performance.now());
    const soon = await within(leftMs() * patienceShare, asked);
    return soon ?? (tries.more ? undefined : within(leftMs(), asked));
  }

  private async finish(
    create: Create,
    outcome: CreateOutcome & { readonly kind: "made" },
    wish: TokenWish | undefined,
    call: CreateCall,
  ): Promise<CreatedIdentity> {
    try {
      return await this.handOver(create, outcome, wish, call);
    } catch (error) {
      const inDoubt = error instanceof NotKept && error.kept === "unknown";
      if (!inDoubt) this.inBackground(this.putAside(create, outcome));
      throw error;
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

  /** Asks Azure, whoever stops to wait for it: an id that nobody hears cannot be deleted. Never rejects. */
  private async ask(
    wish: TokenWish | undefined,
    { account, span }: CallOptions,
    tries: CreateTries,
  ): Promise<CreateOutcome> {
    let named: string | undefined;
    const onIdentity = (identityId: string) => {
      named = identityId;
    };
    try {
      const options = { onIdentity, account, tries, span };
      const { identityId, token } = await this.azure.createIdentity(wish, options);
      return { kind: "made", identityId, token };
    } catch (error) {
      return failedCreate(error, named);
    }
  }

  private async handOver(
    create: Create,
    { identityId, token }: CreateOutcome & { readonly kind: "made" },
    wish: TokenWish | undefined,
    call: CreateCall,
  ): Promise<CreatedIdentity> {
    const { journal } = this.records;
    await Promise.all([
      journal.created(create, identityId),
      wish &&
        token &&
        this.tokens.remember(identityId, wish.scopes, wish.lifetimeMinutes, token, create.span),
    ]);
    const kept = (await call.keep?.(identityId)) ?? "kept";
    if (kept !== "kept") throw new NotKept(kept);
    if (!(await journal.answering(create))) throw notInTime();
    if (call.signal?.aborted) throw callerGone();
    this.events.identityCreated({ withToken: wish !== undefined });
    this.inBackground(this.close(create, identityId, call.answered));
    if (!wish || !token) return { identityId };
    return { identityId, token: { ...token, scopes: wish.scopes, source: "issued" } };
  }

  private async close(
    create: Create,
    identityId: string,
    answered: Promise<boolean> | undefined,
  ): Promise<void> {
    const { journal } = this.records;
    if (answered === undefined || (await answered)) {
      await journal.done(create);
    } else {
      await journal.abandoned(create, identityId);
      this.sweep(create);
    }
  }

  /** Leaves a create that no caller will be told of to the sweeper. */
  private async putAside(create: Create, outcome: CreateOutcome): Promise<void> {
    const { journal } = this.records;
    if (outcome.kind === "nothing") {
      await journal.done(create);
    } else {
      await journal.abandoned(create, outcome.kind === "unknown" ? undefined : outcome.identityId);
      this.sweep(create);
    }
  }

  private sweep({ intent, span }: Create): void {
    const { sweeper } = this.records;
    sweeper.wake(span && { intentId: intent.id, span });
  }

  private inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.events.internalError(error));
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

function notInTime(): GatewayError {
  return new GatewayError(
    "UPSTREAM_UNAVAILABLE",
    "Azure Communication Services did not answer in time. Try again.",
  );
}

/** Nobody reads it. */
function callerGone(): GatewayError {
  return new GatewayError("UPSTREAM_UNAVAILABLE", "The caller has left; the new identity is deleted.");
}
