/** What went wrong at Azure, reduced to facts that are safe to tell: an SDK error's text can hold a token or a key. */
import { GatewayError, badInput, identityNotFound } from "../../errors";
import { acsUnavailable, wholeSeconds } from "./acs-errors";

/** A failed call to ACS as status, code and wait; never its message. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  /** HTTP status; none when no answer came. */
  readonly status: number | undefined;
  /** ACS's code (`IdentityNotOwned`) or the socket's (`ECONNRESET`); only if it looks like one. */
  readonly code: string | undefined;
  /** The argument that ACS names as wrong. */
  readonly target: string | undefined;
  /** How long ACS asks to wait, in milliseconds; a day at most. */
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  /** What is wrong with an answer that came, and made no sense. */
  readonly unusable: GatewayError | undefined;
  private readonly saysGone: boolean;

  constructor(
    error: unknown,
    nowMs: number,
    /** The caller gave up: it says nothing of Azure. */
    readonly cancelled = false,
  ) {
    super("A call to Azure Communication Services failed.");
    const seen = (error ?? {}) as SdkError;
    this.unusable = error instanceof GatewayError ? error : undefined;
    const body = seen.details?.error;
    this.status = typeof seen.statusCode === "number" ? seen.statusCode : undefined;
    this.code = codeLike(body?.code) ?? codeLike(seen.code) ?? codeLike(seen.name);
    this.target = codeLike(body?.target);
    this.requestId = codeLike(seen.request?.requestId);
    this.retryAfterMs = retryAfterMs(seen, nowMs);
    // The code for a deleted identity was never recorded, its text was.
    this.saysGone = typeof body?.message === "string" && body.message.includes("identity doesn't exist");
  }

  /** The identity was deleted, or never made. */
  get identityGone(): boolean {
    return this.saysGone || this.status === 404;
  }

  /** Worth another attempt, if the operation may be repeated: no answer, or one that says later. */
  get retryable(): boolean {
    if (this.identityGone || this.unusable) return false;
    if (this.status === 429) return this.believedRetryAfterMs !== undefined;
    return this.status === undefined || this.status === 408 || this.status >= 500;
  }

  /** `retryAfterMs`, unless it is longer than the windows of ACS: to believe an hour would be an outage of our own making. */
  get believedRetryAfterMs(): number | undefined {
    const { retryAfterMs: ms } = this;
    return ms !== undefined && ms <= longestBelievedMs ? ms : undefined;
  }

  /** Says that ACS is in trouble, rather than that it refuses this request. */
  get speaksAgainstAcs(): boolean {
    if (this.cancelled || this.identityGone) return false;
    const { status } = this;
    return status === undefined || status < 400 || status === 408 || status >= 500;
  }

  /** What of it goes into events. */
  get facts() {
    const { status, code, requestId, cancelled } = this;
    return {
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
      ...(cancelled ? { cancelled } : {}),
      ...(requestId === undefined ? {} : { requestId }),
    };
  }

  /** The same in the words of the gateway's callers. `identityArgument` names the identity, if the call was about one. */
  toGatewayError(identityArgument?: string): GatewayError {
    if (this.unusable) return this.unusable;
    if (identityArgument !== undefined && (this.identityGone || this.code === "IdentityNotOwned")) {
      return identityNotFound(identityArgument);
    }
    switch (this.status) {
      case 429:
        return new GatewayError(
          "RATE_LIMITED",
          "Azure Communication Services is rate limiting this resource.",
          {
            // Azure counts over windows of 30 seconds; without a Retry-After the next one is a safe guess.
            retryAfterSeconds: wholeSeconds(this.retryAfterMs ?? 30_000),
          },
        );
      case 400:
      case 401:
      case 403:
      case 404:
        return this.refusal();
      default:
        return acsUnavailable("did not give a usable answer", {
          hadNoEffect: neverSent.has(this.code ?? ""),
        });
    }
  }

  private refusal(): GatewayError {
    if (this.code === "InvalidAccessToken") {
      return badInput(
        "input.teamsUserAadToken",
        "Azure does not accept the Teams user's Entra token: it is malformed, expired or for another audience.",
      );
    }
    const argument = teamsArguments[this.target?.toLowerCase() ?? ""];
    if (this.code === "ValidationError" && argument) {
      return badInput(
        argument,
        `Azure does not accept this ${argument.slice("input.".length)} with this Teams token.`,
      );
    }
    return new GatewayError(
      "UPSTREAM_REJECTED",
      "Azure Communication Services refused the gateway's request. Its operator finds the status in the gateway's log.",
    );
  }
}

const longestBelievedMs = 60_000;
const maxRetryAfterMs = 24 * 60 * 60 * 1_000;

/** Codes of sockets that were never connected. */
const neverSent: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** ACS's names of the Teams exchange's arguments, and ours. */
const teamsArguments: Readonly<Record<string, string>> = {
  appid: "input.clientId",
  userid: "input.userObjectId",
};

interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly details?: {
    readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly target?: unknown };
  };
  readonly request?: { readonly requestId?: unknown };
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** Foreign text passes only when it looks like an identifier: no spaces, no dots, short, so no token fits. */
function codeLike(value: unknown): string | undefined {
  return typeof value === "string" && /^[\w-]{1,64}$/.test(value) ? value : undefined;
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterMs(error: SdkError, nowMs: number): number | undefined {
  const header = error.response?.headers?.get("retry-after");
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), maxRetryAfterMs) : undefined;
}
