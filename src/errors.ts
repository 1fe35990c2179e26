/** The errors that callers of the gateway can get: a union of codes, and what each caller can do about it. */

/** What there is to know of an error code; the texts are Markdown, for the documentation. */
export interface CodeFacts {
  /** The HTTP status that it is answered with. */
  readonly status: number;
  /** What has happened. */
  readonly means: string;
  /** What whoever gets it can do. */
  readonly remedy: string;
  /** Whether the same request may succeed if it is sent again. */
  readonly retry: "never" | "later" | "at once";
  /** What `extensions` says beside the code. */
  readonly data?: readonly (keyof ErrorData)[];
}

/**
 * Every `extensions.code` of an operation that fails. GraphQL's own parse and validation errors keep Apollo Server's
 * codes (`GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`); what is no GraphQL request has the codes of
 * `server/http-refusal.ts`.
 */
export const errorCodes = {
  BAD_USER_INPUT: {
    status: 400,
    means: "An argument is out of range or malformed.",
    remedy: "Correct the argument that `argument` names.",
    retry: "never",
    data: ["argument"],
  },
  OPERATION_TOO_COMPLEX: {
    status: 400,
    means: "The operation costs more than one operation may.",
    remedy: "Split it. `limit` is the most that is allowed, `cost` what this one costs.",
    retry: "never",
    data: ["cost", "limit"],
  },
  UNAUTHENTICATED: {
    status: 401,
    means: "There is no credential, or one that is not valid; the message says why.",
    remedy: "Send `Authorization: Bearer` with a valid access token, or `x-api-key` with a valid key.",
    retry: "never",
  },
  FORBIDDEN: {
    status: 403,
    means: "The caller is known, and may not do this: not its own identity, not its scopes, not its right.",
    remedy: "Ask for what is yours, for scopes that you may have, or the operator for the right.",
    retry: "never",
  },
  IDENTITY_NOT_FOUND: {
    status: 404,
    means: "The resource has no such identity: it was deleted, or is another resource's.",
    remedy: "Create one. A user leaves `identityId` out, and gets one.",
    retry: "never",
  },
  TOKEN_REVOKED_DURING_ISSUE: {
    status: 409,
    means: "Revocations overtook the issuance three times.",
    remedy: "Try again when they are over.",
    retry: "later",
  },
  RATE_LIMITED: {
    status: 429,
    means: "The caller, its address or the whole resource has reached a limit.",
    remedy: "Wait `retryAfterSeconds`, which is in the header `retry-after` as well.",
    retry: "later",
    data: ["retryAfterSeconds", "limit"],
  },
  INTERNAL_SERVER_ERROR: {
    status: 500,
    means: "A fault of the gateway.",
    remedy: "Report `errorId`: the operator finds the cause in the log under it.",
    retry: "later",
    data: ["errorId"],
  },
  UPSTREAM_REJECTED: {
    status: 502,
    means: "Azure refused the gateway itself: its credential, its role, its api-version.",
    remedy: "The operator must act.",
    retry: "never",
  },
  UPSTREAM_UNAVAILABLE: {
    status: 503,
    means: "Azure did not answer, or not in time, or not sensibly.",
    remedy: "Retry with back-off. After `createIdentity` an identity may have been made.",
    retry: "later",
    data: ["retryAfterSeconds"],
  },
  CACHE_UNAVAILABLE: {
    status: 503,
    means: "Azure has revoked or deleted, and the shared cache could not be told.",
    remedy: "Send the same mutation again, until it succeeds.",
    retry: "at once",
  },
  DIRECTORY_UNAVAILABLE: {
    status: 503,
    means: "The directory of users' identities does not answer. Whoever was served lately still is.",
    remedy: "Retry with back-off.",
    retry: "later",
    data: ["retryAfterSeconds"],
  },
  AUDIT_UNAVAILABLE: {
    status: 503,
    means: "The audit cannot be written, and no token leaves without its line there.",
    remedy: "Retry with back-off. The operator frees the disk, or restarts what reads the audit.",
    retry: "later",
    data: ["retryAfterSeconds"],
  },
  ISSUER_UNAVAILABLE: {
    status: 503,
    means: "The issuer of the access token does not tell its keys, so nobody can be recognised by one.",
    remedy: "Retry with back-off.",
    retry: "later",
    data: ["retryAfterSeconds"],
  },
} as const satisfies Readonly<Record<string, CodeFacts>>;

/** The codes of {@link GatewayError}. */
export type ErrorCode = keyof typeof errorCodes;

/** What an error says beside its code. Plain data that is safe to show to the caller. */
export interface ErrorData {
  /** The argument at fault, as a path: `input.expiresInMinutes`. */
  readonly argument?: string;
  /** Whole seconds to wait before trying again. Sent as `Retry-After` too. */
  readonly retryAfterSeconds?: number;
  /** What the operation would have cost (`@cost` and `@listSize` in the schema). */
  readonly cost?: number;
  /** The most that is allowed of what the message names. */
  readonly limit?: number;
  /** The id under which the log tells the cause. */
  readonly errorId?: string;
}

/**
 * An error that is meant for the caller: its message is shown as it is, so it never holds a token, a key or a
 * foreign error's text. `extensions` is the one property that GraphQL and Apollo Server carry to the answer from
 * anywhere; Apollo takes `http` out of it to set the status and headers.
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly extensions: ErrorData & {
    readonly code: ErrorCode;
    readonly http: { readonly status: number; readonly headers?: ReadonlyMap<string, string> };
  };

  constructor(code: ErrorCode, message: string, data: ErrorData = {}) {
    super(message);
    this.code = code;
    const { status } = errorCodes[code];
    const headers = new Map<string, string>();
    if (data.retryAfterSeconds !== undefined) headers.set("retry-after", String(data.retryAfterSeconds));
    // RFC 9110, section 11.6.1, and RFC 6750, section 3.
    if (status === 401) headers.set("www-authenticate", "Bearer");
    this.extensions = { code, ...data, http: headers.size === 0 ? { status } : { status, headers } };
  }
}

/** An argument that can never be accepted: names it and says what would be. */
export function badInput(argument: string, message: string): GatewayError {
  return new GatewayError("BAD_USER_INPUT", message, { argument });
}

/** Nothing is done, and no token leaves, without its line in the audit. */
export function auditUnavailable(): GatewayError {
  return new GatewayError("AUDIT_UNAVAILABLE", "The gateway cannot write its audit. Try again.", {
    retryAfterSeconds: 5,
  });
}

/** The same answer whether the identity was deleted, never existed or belongs to another resource. */
export function identityNotFound(argument: string): GatewayError {
  return new GatewayError(
    "IDENTITY_NOT_FOUND",
    "This Communication Services resource has no such identity: it was deleted, or belongs to another resource.",
    { argument },
  );
}
