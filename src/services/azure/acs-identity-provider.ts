/** ACS Identity through the official SDK: deadlines, retries, checks and error mapping. The only importer of the SDK. */
import { createHash } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import {
  CommunicationIdentityClient,
  type CommunicationIdentityClientOptions,
} from "@azure/communication-identity";
import { AzureKeyCredential, type TokenCredential } from "@azure/core-auth";
import { GatewayError, identityNotFound } from "../../errors";
import type { Clock } from "../clock";
import { resourceOf } from "../identities/identity-id";
import type { Events } from "../telemetry/events";
import { lifetimeMinutes as lifetimes } from "../tokens/token-key";
import type { TokenScope } from "../tokens/token-scope";
import { checkedIdentityId, checkedToken } from "./answer-checks";
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
import { UpstreamBreaker } from "./upstream-breaker";
import { UpstreamBudget } from "./upstream-budget";
import { UpstreamConnections } from "./upstream-connections";
import { UpstreamCalls, type Patience, type Send } from "./upstream-calls";
import { UpstreamFailure } from "./upstream-error";
import type { Operation } from "./upstream-operation";

/** Which ACS resource, as whom, and how patiently. */
export interface AcsOptions {
  /** `https://<resource>.communication.azure.com`; plain http is for an emulator on this machine. */
  readonly endpoint: string;
  /** The resource's access key (base64), or an Entra credential. */
  readonly credential: { readonly accessKey: string } | TokenCredential;
  /** Deadline of one call with all its attempts, in milliseconds. */
  readonly deadlineMs: number;
  /** The most connections to the resource at once; each operation uses half of them at most. */
  readonly maxSockets: number;
  /** Leave connecting to the SDK, which then honours `HTTPS_PROXY`, without a bound on connections. */
  readonly throughProxy?: boolean;
  /** A certificate authority (PEM) to trust instead of the system's, for an emulator over TLS. */
  readonly ca?: string;
  /** The resource's immutable id, if known beforehand; learned from Azure's answers otherwise. */
  readonly resourceId?: string | undefined;
}

/** Three attempts in all, for operations that may be repeated. */
const maxAttempts = 3;
/** The share of its deadline that a call may wait for its turn under Azure's limit. */
const turnShare = 0.8;
/** How long the answer of a create is listened for, in milliseconds. */
const createPatienceMs = 60_000;

/** One resource, through `@azure/communication-identity`, with one long-lived client. */
export class AcsIdentityProvider implements ProcessProvider {
  readonly credentialFingerprint: string;
  /** What the resource is called in events: the host, which holds no secret. */
  readonly name: string;
  readonly deadlineMs: number;
  private readonly endpoint: string;
  private readonly client: CommunicationIdentityClient;
  private readonly agent: HttpAgent;
  private readonly calls: UpstreamCalls;
  private readonly throughProxy: boolean;
  private readonly knownResourceId: string | undefined;
  private resourceId: string | undefined;

  constructor(
    options: AcsOptions,
    private readonly clock: Clock,
    private readonly events: Pick<Events, "upstreamCall" | "upstreamCircuit" | "resourceMistaken">,
    budget = new UpstreamBudget(),
  ) {
    const { endpoint, credential, deadlineMs, maxSockets, ca } = options;
    this.deadlineMs = deadlineMs;
    this.endpoint = endpoint;
    this.name = new URL(endpoint).host;
    this.resourceId = this.knownResourceId = options.resourceId;
    this.calls = new UpstreamCalls(
      new UpstreamConnections(maxSockets),
      budget,
      new UpstreamBreaker(this.name, events),
      clock,
      this.name,
      events,
    );
    const secure = endpoint.startsWith("https:");
    const sockets = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
    this.throughProxy = options.throughProxy ?? false;
    this.agent = secure
      ? new HttpsAgent(ca === undefined ? sockets : { ...sockets, ca })
      : new HttpAgent(sockets);
    const clientOptions: CommunicationIdentityClientOptions = {
      allowInsecureConnection: !secure,
      // One owner of retries, and it is this file: the SDK would repeat creates, and wait out any Retry-After.
      retryOptions: { maxRetries: 0 },
      userAgentOptions: { userAgentPrefix: "acs-token-gateway" },
      ...(this.throughProxy ? {} : { agent: this.agent }),
    };
    if ("accessKey" in credential) {
      const key = new AzureKeyCredential(credential.accessKey);
      this.client = new CommunicationIdentityClient(endpoint, key, clientOptions);
      this.credentialFingerprint = fingerprint(endpoint, credential.accessKey);
    } else {
      this.client = new CommunicationIdentityClient(endpoint, credential, clientOptions);
      this.credentialFingerprint = fingerprint(endpoint, "entra");
    }
  }

  get state(): ProviderState {
    return this.calls.isHeldBack ? "failing" : "ok";
  }

  get resources(): readonly ProviderResource[] {
    return [{ resource: this.calls.resource, read: () => this.calls.readings() }];
  }

  credentialOf(): string {
    return this.credentialFingerprint;
  }

  async preconnect(): Promise<void> {
    if (!this.throughProxy) await preconnect(this.endpoint, this.agent);
  }

  async createIdentity(
    token: { readonly scopes: readonly TokenScope[]; readonly lifetimeMinutes: number } | undefined,
    call: CreateOptions,
  ): Promise<{ readonly identityId: string; readonly token?: IssuedToken }> {
    if (!token) {
      const identityId = await this.once("createIdentity", call, async (options) =>
        this.named(await this.client.createUser(options), call, options),
      );
      return { identityId };
    }
    return this.once("createIdentityWithToken", call, async (options) => {
      const answer = await this.client.createUserAndToken([...token.scopes], {
        ...options,
        tokenExpiresInMinutes: token.lifetimeMinutes,
      });
      // A 201 without `identity` makes the SDK hand out nothing usable, whatever its types say.
      const identityId = await this.named((answer as { user?: NamedUser }).user, call, options);
      return { identityId, token: checkedToken(answer, this.clock.now(), token.lifetimeMinutes * 60_000) };
    });
  }

  async issueToken(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    call: CallOptions,
  ): Promise<IssuedToken> {
    this.checkOwner(identityId, "input.identityId");
    return this.repeatable("issueToken", call, async (options) => {
      const user = { communicationUserId: identityId };
      const wish = { ...options, tokenExpiresInMinutes: lifetimeMinutes };
      const answer = await this.client.getToken(user, [...scopes], wish);
      return checkedToken(answer, this.clock.now(), lifetimeMinutes * 60_000);
    });
  }

  async revokeTokens(identityId: string, call: CallOptions): Promise<void> {
    this.checkOwner(identityId, "input.identityId");
    await this.repeatable("revokeTokens", call, (options) =>
      this.client.revokeTokens({ communicationUserId: identityId }, options),
    );
  }

  async deleteIdentity(identityId: string, call: CallOptions): Promise<void> {
    this.checkOwner(identityId, "input.identityId");
    try {
      await this.calls.run("deleteIdentity", call, this.patience(call), (options) =>
        this.client.deleteUser({ communicationUserId: identityId }, options),
      );
    } catch (error) {
      if (error instanceof UpstreamFailure && error.identityGone) return;
      throw inOurWords(error, "input.identityId");
    }
  }

  async exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<IssuedToken> {
    return this.calls
      .run("exchangeTeamsToken", call, this.patience(call), async (options) =>
        checkedToken(
          await this.client.getTokenForTeamsUser({ ...teams, ...options }),
          this.clock.now(),
          lifetimes.max * 60_000,
        ),
      )
      .catch((error: unknown) => {
        throw inOurWords(error);
      });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    return Promise.resolve();
  }

  private checkOwner(identityId: string, argument: string): void {
    if (this.resourceId !== undefined && resourceOf(identityId) !== this.resourceId)
      throw identityNotFound(argument);
  }

  /** The id in an answer, for the caller and for this provider. */
  private async named(
    user: NamedUser | undefined,
    { onIdentity }: CreateOptions,
    options: Parameters<Send<unknown>>[0],
  ): Promise<string> {
    const identityId = checkedIdentityId(user?.communicationUserId);
    const named = resourceOf(identityId);
    if (this.knownResourceId !== undefined && named !== this.knownResourceId) {
      this.events.resourceMistaken({ resource: this.name, configured: this.knownResourceId, named });
      // By its id nobody would find the way to it, not even to delete it later.
      await this.client.deleteUser({ communicationUserId: identityId }, options).catch(() => {
        throw new GatewayError(
          "UPSTREAM_UNAVAILABLE",
          "Azure Communication Services made what cannot be used.",
        );
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

  private patience({ turnMs = Infinity, deadlineMs = Infinity }: CallOptions): Patience {
    const ms = Math.min(deadlineMs, this.deadlineMs);
    return { attempts: maxAttempts, deadlineMs: ms, turnMs: Math.min(turnMs, ms * turnShare) };
  }

  /** Whoever created an identity must be told its id, so neither a deadline nor a caller that leaves cancels it. */
  private once<T>(operation: Operation, call: CreateOptions, send: Send<T>): Promise<T> {
    const { account, span, turnMs = Infinity } = call;
    const patience = {
      attempts: 1,
      deadlineMs: Math.max(createPatienceMs, this.deadlineMs),
      turnMs: Math.min(turnMs, this.deadlineMs * turnShare),
      overdueMs: this.deadlineMs,
    };
    return this.calls.run(operation, { account, span }, patience, send).catch((error: unknown) => {
      throw inOurWords(error);
    });
  }

  private repeatable<T>(operation: Operation, call: CallOptions, send: Send<T>): Promise<T> {
    return this.calls.run(operation, call, this.patience(call), send).catch((error: unknown) => {
      throw inOurWords(error, "input.identityId");
    });
  }
}

interface NamedUser {
  readonly communicationUserId?: unknown;
}

/** What callers get: an {@link UpstreamFailure} mapped, our own errors as they are. */
function inOurWords(error: unknown, identityArgument?: string): unknown {
  return error instanceof UpstreamFailure ? error.toGatewayError(identityArgument) : error;
}

/** 48 bits: enough to tell the credentials of one resource apart, too few to find a key by. */
function fingerprint(...parts: string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("base64url").slice(0, 8);
}
