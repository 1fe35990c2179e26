/** ACS Identity as the gateway uses it: one resource, with policies, checks and errors of our own around the SDK. */
import { createHash } from "node:crypto";
import { GatewayError, identityNotFound } from "../../errors";
import type { Clock } from "../clock";
import { resourceOf } from "../identities/identity-id";
import type { RedisConnection } from "../redis/redis-connection";
import type { Events } from "../telemetry/events";
import { lifetimeMinutes as lifetimes } from "../tokens/token-key";
import type { TokenScope } from "../tokens/token-scope";
import { acsClient, type AcsClient, type AcsClientOptions } from "./acs-client";
import { acsUnavailable } from "./acs-errors";
import { AcsPolicies, type CallTerms } from "./acs-policies";
import { azureCallOptions, type AzureCallOptions } from "./azure-tracing";
import type {
  CallOptions,
  CreateOptions,
  IssuedToken,
  ProcessProvider,
  ProviderResource,
  ProviderState,
  TeamsUserToken,
} from "./identity-provider";
import { preconnect } from "./preconnect";
import { defaultRateLimits, type RateLimits } from "./rate-limiter";
import { checkedIdentityId, checkedToken } from "./response-validation";
import { UpstreamFailure } from "./upstream-failure";
import type { Operation } from "./upstream-operation";

/** Which ACS resource, as whom, and how patiently. */
export interface AcsOptions extends AcsClientOptions {
  /** Deadline of one call with all its attempts, in milliseconds. */
  readonly deadlineMs: number;
  /** The resource's immutable id, if known beforehand; learned from the answers of ACS otherwise. */
  readonly resourceId?: string | undefined;
}

/** Three attempts in all, for operations that may be repeated. */
const maxAttempts = 3;
/** The share of its deadline within which an attempt must start. */
const startShare = 0.8;
/** How long the answer of a create is listened for, in milliseconds. */
const createDeadlineMs = 60_000;

/** Sends one request with the SDK. */
type Send<T> = (options: AzureCallOptions) => Promise<T>;

/** One resource, through one long-lived client. */
export class AcsIdentityProvider implements ProcessProvider {
  readonly credentialFingerprint: string;
  /** What the resource is called in events: the host, which holds no secret. */
  readonly name: string;
  readonly deadlineMs: number;
  private readonly acs: AcsClient;
  private readonly policies: AcsPolicies;
  private resourceId: string | undefined;

  constructor(
    private readonly options: AcsOptions,
    private readonly clock: Clock,
    private readonly events: Pick<
      Events,
      "upstreamCall" | "upstreamCircuit" | "budgetUnavailable" | "resourceMistaken"
    >,
    limits: RateLimits = defaultRateLimits,
    redis?: Pick<RedisConnection, "script">,
  ) {
    const { endpoint, credential, deadlineMs, maxSockets, resourceId } = options;
    this.deadlineMs = deadlineMs;
    this.name = new URL(endpoint).host;
    this.resourceId = resourceId;
    this.acs = acsClient(options);
    this.policies = new AcsPolicies(maxSockets, limits, redis, this.name, events);
    this.credentialFingerprint = fingerprint(
      endpoint,
      "accessKey" in credential ? credential.accessKey : "entra",
    );
  }

  get state(): ProviderState {
    return this.policies.isFailing ? "failing" : "ok";
  }

  get resources(): readonly ProviderResource[] {
    return [{ resource: this.name, read: () => this.policies.readings() }];
  }

  credentialOf(): string {
    return this.credentialFingerprint;
  }

  async preconnect(): Promise<void> {
    if (!this.options.throughProxy) await preconnect(this.options.endpoint, this.acs.agent);
  }

  async createIdentity(
    token: { readonly scopes: readonly TokenScope[]; readonly lifetimeMinutes: number } | undefined,
    call: CreateOptions,
  ): Promise<{ readonly identityId: string; readonly token?: IssuedToken }> {
    const { client } = this.acs;
    if (!token) {
      return this.createOnce("createIdentity", call, async (options) => ({
        identityId: await this.learnIdentity(await client.createUser(options), call, options),
      }));
    }
    return this.createOnce("createIdentityWithToken", call, async (options) => {
      const answer = await client.createUserAndToken([...token.scopes], {
        ...options,
        tokenExpiresInMinutes: token.lifetimeMinutes,
      });
      // A 201 without `identity` makes the SDK hand out nothing usable, whatever its types say.
      const identityId = await this.learnIdentity((answer as { user?: NamedUser }).user, call, options);
      return { identityId, token: this.checked(answer, token.lifetimeMinutes) };
    });
  }

  async issueToken(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    call: CallOptions,
  ): Promise<IssuedToken> {
    return this.forIdentity("issueToken", identityId, call, async (user, options) => {
      const wish = { ...options, tokenExpiresInMinutes: lifetimeMinutes };
      return this.checked(await this.acs.client.getToken(user, [...scopes], wish), lifetimeMinutes);
    });
  }

  async revokeTokens(identityId: string, call: CallOptions): Promise<void> {
    await this.forIdentity("revokeTokens", identityId, call, (user, options) =>
      this.acs.client.revokeTokens(user, options),
    );
  }

  async deleteIdentity(identityId: string, call: CallOptions): Promise<void> {
    this.checkOwner(identityId);
    try {
      await this.run("deleteIdentity", call, this.repeatable(call), (options) =>
        this.acs.client.deleteUser({ communicationUserId: identityId }, options),
      );
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || !error.identityGone) throw toGatewayError(error, argument);
    }
  }

  async exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<IssuedToken> {
    return this.run("exchangeTeamsToken", call, this.repeatable(call), async (options) =>
      this.checked(await this.acs.client.getTokenForTeamsUser({ ...teams, ...options }), lifetimes.max),
    ).catch((error: unknown) => {
      throw toGatewayError(error);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.acs.agent.destroy();
    return Promise.resolve();
  }

  private checkOwner(identityId: string): void {
    if (this.resourceId !== undefined && resourceOf(identityId) !== this.resourceId)
      throw identityNotFound(argument);
  }

  private checked(answer: Parameters<typeof checkedToken>[0], lifetimeMinutes: number): IssuedToken {
    return checkedToken(answer, this.clock.now(), lifetimeMinutes * 60_000);
  }

  /** The id in an answer, told to the caller and learned for this provider. */
  private async learnIdentity(
    user: NamedUser | undefined,
    { onIdentity }: CreateOptions,
    options: AzureCallOptions,
  ): Promise<string> {
    const identityId = checkedIdentityId(user?.communicationUserId);
    const named = resourceOf(identityId);
    const configured = this.options.resourceId;
    if (configured !== undefined && named !== configured) {
      this.events.resourceMistaken({ resource: this.name, configured, named });
      // Calls for it would be routed elsewhere, so that nobody could delete it later.
      await this.acs.client.deleteUser({ communicationUserId: identityId }, options).catch(() => {
        throw acsUnavailable("created an identity that cannot be used");
      });
      throw new GatewayError(
        "UPSTREAM_REJECTED",
        "The gateway is configured with a wrong resource id. Its operator finds the right one in its log.",
      );
    }
    this.resourceId = named;
    onIdentity?.(identityId);
    return identityId;
  }

  private repeatable({ turnMs = Infinity, deadlineMs = Infinity }: CallOptions): CallTerms {
    const ms = Math.min(deadlineMs, this.deadlineMs);
    return { attempts: maxAttempts, deadlineMs: ms, startMs: Math.min(turnMs, ms * startShare) };
  }

  private forIdentity<T>(
    operation: Operation,
    identityId: string,
    call: CallOptions,
    send: (user: { readonly communicationUserId: string }, options: AzureCallOptions) => Promise<T>,
  ): Promise<T> {
    this.checkOwner(identityId);
    const user = { communicationUserId: identityId };
    return this.run(operation, call, this.repeatable(call), (options) => send(user, options)).catch(
      (error: unknown) => {
        throw toGatewayError(error, argument);
      },
    );
  }

  /** Whoever created an identity must be told its id, so neither a deadline nor a caller that leaves cancels it. */
  private createOnce<T>(operation: Operation, call: CreateOptions, send: Send<T>): Promise<T> {
    const { account, span, turnMs = Infinity } = call;
    const terms = {
      attempts: 1,
      deadlineMs: Math.max(createDeadlineMs, this.deadlineMs),
      startMs: Math.min(turnMs, this.deadlineMs * startShare),
      overdueMs: this.deadlineMs,
    };
    return this.run(operation, { account, span }, terms, send).catch((error: unknown) => {
      throw toGatewayError(error);
    });
  }

  /** Rejects with an {@link UpstreamFailure}, or with a `GatewayError` when nothing was sent. */
  private async run<T>(
    operation: Operation,
    { account, signal, background, span }: CallOptions,
    terms: CallTerms,
    send: Send<T>,
  ): Promise<T> {
    account?.charge();
    return this.policies.run(operation, { ...terms, signal, background, span }, async (own, attempt) => {
      const call = { resource: this.name, operation, attempt };
      const startedAt = performance.now();
      try {
        own.throwIfAborted();
        const answer = await send(azureCallOptions(own, span));
        this.events.upstreamCall({ ...call, outcome: "ok", durationMs: performance.now() - startedAt });
        return answer;
      } catch (error) {
        const failure = new UpstreamFailure(error, this.clock.now(), signal?.aborted);
        const durationMs = performance.now() - startedAt;
        this.events.upstreamCall({ ...call, outcome: "failed", durationMs, ...failure.facts });
        throw failure;
      }
    });
  }
}

interface NamedUser {
  readonly communicationUserId?: unknown;
}

/** Names the identity in errors. */
const argument = "input.identityId";

/** What callers get: an {@link UpstreamFailure} mapped, our own errors as they are, and a deadline that is over. */
function toGatewayError(error: unknown, identityArgument?: string): unknown {
  if (error instanceof UpstreamFailure) return error.toGatewayError(identityArgument);
  return error instanceof GatewayError ? error : acsUnavailable("did not answer in time");
}

/** 48 bits: enough to tell the credentials of one resource apart, too few to find a key by. */
function fingerprint(...parts: string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("base64url").slice(0, 8);
}
