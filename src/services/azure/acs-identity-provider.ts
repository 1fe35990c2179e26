/** ACS Identity through the official SDK: deadlines, retries, checks and error mapping. The only importer of the SDK. */
import { createHash } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CommunicationIdentityClient,
  type CommunicationIdentityClientOptions,
} from "@azure/communication-identity";
import { AzureKeyCredential, type TokenCredential } from "@azure/core-auth";
import { identityNotFound } from "../../errors";
import type { Clock } from "../clock";
import { startDeadline } from "../deadline";
import { resourceOf } from "../identities/identity-id";
import type { Events } from "../telemetry/events";
import { lifetimeMinutes as lifetimes } from "../tokens/token-key";
import type { TokenScope } from "../tokens/token-scope";
import { checkedIdentityId, checkedToken } from "./answer-checks";
import type { CallOptions, IdentityProvider, IssuedToken, TeamsUserToken } from "./identity-provider";
import { UpstreamFailure } from "./upstream-error";

/** Which ACS resource, as whom, and how patiently. */
export interface AcsOptions {
  /** `https://<resource>.communication.azure.com`; plain http is for an emulator on this machine. */
  readonly endpoint: string;
  /** The resource's access key (base64), or an Entra credential. */
  readonly credential: { readonly accessKey: string } | TokenCredential;
  /** Deadline of one call with all its attempts, in milliseconds. */
  readonly deadlineMs: number;
  /** The most connections to Azure at once. */
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
const firstBackoffMs = 100;
/** One attempt may take this share of the deadline, so that a hanging first one leaves time for a second. */
const attemptShare = 0.45;

/** {@link IdentityProvider} on `@azure/communication-identity`, with one long-lived client. */
export class AcsIdentityProvider implements IdentityProvider, AsyncDisposable {
  readonly credentialFingerprint: string;
  readonly deadlineMs: number;
  private readonly client: CommunicationIdentityClient;
  private readonly agent: HttpAgent | HttpsAgent;
  private resourceId: string | undefined;

  constructor(
    options: AcsOptions,
    private readonly clock: Clock,
    private readonly events: Pick<Events, "upstreamCall">,
  ) {
    const { endpoint, credential, deadlineMs, maxSockets, ca } = options;
    this.deadlineMs = deadlineMs;
    this.resourceId = options.resourceId;
    const secure = endpoint.startsWith("https:");
    const sockets = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
    this.agent = secure
      ? new HttpsAgent(ca === undefined ? sockets : { ...sockets, ca })
      : new HttpAgent(sockets);
    const clientOptions: CommunicationIdentityClientOptions = {
      allowInsecureConnection: !secure,
      // One owner of retries, and it is this file: the SDK would repeat creates, and wait out any Retry-After.
      retryOptions: { maxRetries: 0 },
      userAgentOptions: { userAgentPrefix: "acs-token-gateway" },
      ...(options.throughProxy ? {} : { agent: this.agent }),
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

  async createIdentity(
    token: { readonly scopes: readonly TokenScope[]; readonly lifetimeMinutes: number } | undefined,
    call: CallOptions,
  ): Promise<{ readonly identityId: string; readonly token?: IssuedToken }> {
    // Whoever created an identity must be told its id, so a caller that leaves does not cancel a create.
    const uncancelled = { ...call, signal: undefined };
    if (!token) {
      const user = await this.once("createIdentity", uncancelled, (options) =>
        this.client.createUser(options),
      );
      return { identityId: this.learn(checkedIdentityId(user.communicationUserId)) };
    }
    const answer = await this.once("createIdentityWithToken", uncancelled, (options) =>
      this.client.createUserAndToken([...token.scopes], {
        ...options,
        tokenExpiresInMinutes: token.lifetimeMinutes,
      }),
    );
    // A 201 without `identity` makes the SDK hand out nothing usable, whatever its types say.
    const user = (answer as { user?: { communicationUserId?: unknown } }).user;
    const identityId = this.learn(checkedIdentityId(user?.communicationUserId));
    return { identityId, token: checkedToken(answer, this.clock.now(), token.lifetimeMinutes * 60_000) };
  }

  async issueToken(
    identityId: string,
    scopes: readonly TokenScope[],
    lifetimeMinutes: number,
    call: CallOptions,
  ): Promise<IssuedToken> {
    this.checkOwner(identityId, "input.identityId");
    const answer = await this.repeatable("issueToken", call, (options) =>
      this.client.getToken({ communicationUserId: identityId }, [...scopes], {
        ...options,
        tokenExpiresInMinutes: lifetimeMinutes,
      }),
    );
    return checkedToken(answer, this.clock.now(), lifetimeMinutes * 60_000);
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
      await this.attempts("deleteIdentity", call, maxAttempts, (options) =>
        this.client.deleteUser({ communicationUserId: identityId }, options),
      );
    } catch (error) {
      if (error instanceof UpstreamFailure && error.identityGone) return;
      throw inOurWords(error, "input.identityId");
    }
  }

  async exchangeTeamsToken(teams: TeamsUserToken, call: CallOptions): Promise<IssuedToken> {
    const answer = await this.attempts("exchangeTeamsToken", call, maxAttempts, (options) =>
      this.client.getTokenForTeamsUser({ ...teams, ...options }),
    ).catch((error: unknown) => {
      throw inOurWords(error);
    });
    return checkedToken(answer, this.clock.now(), lifetimes.max * 60_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    return Promise.resolve();
  }

  private checkOwner(identityId: string, argument: string): void {
    if (this.resourceId !== undefined && resourceOf(identityId) !== this.resourceId)
      throw identityNotFound(argument);
  }

  private learn(identityId: string): string {
    this.resourceId ??= resourceOf(identityId);
    return identityId;
  }

  private once<T>(operation: string, call: Cancellable, send: Send<T>): Promise<T> {
    return this.attempts(operation, call, 1, send).catch((error: unknown) => {
      throw inOurWords(error);
    });
  }

  private repeatable<T>(operation: string, call: Cancellable, send: Send<T>): Promise<T> {
    return this.attempts(operation, call, maxAttempts, send).catch((error: unknown) => {
      throw inOurWords(error, "input.identityId");
    });
  }

  /** Sends until an answer, the last attempt or the deadline. Throws {@link UpstreamFailure}. */
  private async attempts<T>(operation: string, call: Cancellable, most: number, send: Send<T>): Promise<T> {
    using deadline = startDeadline(this.deadlineMs, call.signal);
    const end = performance.now() + this.deadlineMs;
    const cancel = deadline.signal;
    const attemptMs = most === 1 ? this.deadlineMs : Math.ceil(this.deadlineMs * attemptShare);
    for (let attempt = 1; ; attempt++) {
      const startedAt = performance.now();
      try {
        using patience = startDeadline(attemptMs, cancel);
        const answer = await send({ abortSignal: patience.signal });
        this.events.upstreamCall({
          operation,
          attempt,
          outcome: "ok",
          durationMs: performance.now() - startedAt,
        });
        return answer;
      } catch (error) {
        const failure = new UpstreamFailure(error, this.clock.now());
        this.tellFailure(operation, attempt, performance.now() - startedAt, failure);
        if (cancel.aborted || !failure.retryable || attempt === most) throw failure;
        const waitMs = failure.retryAfterMs ?? Math.random() * firstBackoffMs * 2 ** attempt;
        if (performance.now() + waitMs >= end) throw failure;
        await sleep(waitMs, undefined, { signal: cancel }).catch(() => {
          throw failure;
        });
      }
    }
  }

  private tellFailure(
    operation: string,
    attempt: number,
    durationMs: number,
    failure: UpstreamFailure,
  ): void {
    this.events.upstreamCall({
      operation,
      attempt,
      outcome: "failed",
      durationMs,
      ...(failure.status === undefined ? {} : { status: failure.status }),
      ...(failure.code === undefined ? {} : { code: failure.code }),
      ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
    });
  }
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}

type Send<T> = (options: { abortSignal: AbortSignal }) => Promise<T>;

/** What callers get: an {@link UpstreamFailure} mapped, our own errors as they are. */
function inOurWords(error: unknown, identityArgument?: string): unknown {
  return error instanceof UpstreamFailure ? error.toGatewayError(identityArgument) : error;
}

/** 48 bits: enough to tell the credentials of one resource apart, too few to find a key by. */
function fingerprint(...parts: string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("base64url").slice(0, 8);
}
