/** The errors that callers of the gateway can get: a union of codes, and what each caller can do about it. */

/**
 * Every `extensions.code` of an operation that fails, its HTTP status, and what the caller can do. GraphQL's own
 * parse and validation errors keep Apollo Server's codes (`GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`); what
 * is no GraphQL request has the codes of `server/http-refusal.ts`.
 */
const statusByCode = {
  /** An argument is out of range or malformed; `argument` names it. Correct it; the same request never succeeds. */
  BAD_USER_INPUT: 400,
  /** The operation is too large; the message says how, `limit` the most that is allowed. Split it. */
  OPERATION_TOO_COMPLEX: 400,
  /** No credential, or one that is not valid. Send `Authorization: Bearer` with an access token, or `x-api-key`. */
  UNAUTHENTICATED: 401,
  /** The caller is known but may not do this: not its own identity, not its scopes, not its right. Do not retry. */
  FORBIDDEN: 403,
  /** No such identity in this resource: never made here, or deleted. Create one; do not retry. */
  IDENTITY_NOT_FOUND: 404,
  /** A revocation overtook the issuance again and again. Retry when the revocations are over. */
  TOKEN_REVOKED_DURING_ISSUE: 409,
  /** The caller, its address or the resource has reached a limit. Retry after `retryAfterSeconds`. */
  RATE_LIMITED: 429,
  /** A fault of the gateway, in its log under `errorId`. Report that id. */
  INTERNAL_SERVER_ERROR: 500,
  /** Azure refused the gateway itself (credentials, role, api-version). The operator must act; do not retry. */
  UPSTREAM_REJECTED: 502,
  /** Azure did not answer, or not in time, or not sensibly. Retry with back-off. */
  UPSTREAM_UNAVAILABLE: 503,
  /** Azure has revoked or deleted, but the shared cache could not be cleared. Send the same mutation again. */
  CACHE_UNAVAILABLE: 503,
  /** The directory of users' identities does not answer. Retry with back-off; who was served lately still is. */
  DIRECTORY_UNAVAILABLE: 503,
  /** The issuer of the access token does not tell its keys, so nobody can be recognised by one. Retry with back-off. */
  ISSUER_UNAVAILABLE: 503,
} as const;

/** The codes of {@link GatewayError}. */
export type ErrorCode = keyof typeof statusByCode;

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
    const status = statusByCode[code];
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

/** The same answer whether the identity was deleted, never existed or belongs to another resource. */
export function identityNotFound(argument: string): GatewayError {
  return new GatewayError(
    "IDENTITY_NOT_FOUND",
    "This Communication Services resource has no such identity: it was deleted, or belongs to another resource.",
    { argument },
  );
}
