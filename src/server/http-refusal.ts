/** A request that is refused before GraphQL sees it: a stable code, its HTTP status and what the client can do. */

/** Every `extensions.code` with which the HTTP room itself answers, and its status. */
const statusByRefusal = {
  /** The request is malformed; the message says what is wrong. */
  BAD_REQUEST: 400,
  /** Nothing is served at this path. */
  NOT_FOUND: 404,
  /** The gateway serves the operations of a list, and this is none of them. The operator adds it; do not retry. */
  OPERATION_NOT_LISTED: 403,
  /** No operation has this id. 200 as Apollo Server answers it: clients then send the whole document. */
  PERSISTED_QUERY_NOT_FOUND: 200,
  /** The path exists, the method does not; `Allow` lists those that do. */
  METHOD_NOT_ALLOWED: 405,
  /** The request did not arrive within the time given to it. */
  REQUEST_TIMEOUT: 408,
  /** The body is larger than the configured limit. */
  PAYLOAD_TOO_LARGE: 413,
  /** The body is not `application/json` in UTF-8, or is compressed. */
  UNSUPPORTED_MEDIA_TYPE: 415,
  /** `Expect` asks for something other than `100-continue`. */
  EXPECTATION_FAILED: 417,
  /** URL and headers together are too large. */
  REQUEST_HEADER_FIELDS_TOO_LARGE: 431,
  /** A fault of the gateway, in its log under `errorId`. */
  INTERNAL_SERVER_ERROR: 500,
  /** The operation took too long. What it has begun may still take effect: creating, revoking and deleting go on. */
  OPERATION_TIMEOUT: 504,
} as const;

/** The codes of {@link HttpRefusal}. */
export type RefusalCode = keyof typeof statusByRefusal;

/** Thrown where a request is refused; answered in one place. The message is shown to the client. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly status: number;

  constructor(
    readonly code: RefusalCode,
    message: string,
    /** Further response headers, for example `["allow", "GET, POST"]`. */
    readonly headers: readonly string[] = [],
    /** The id under which the log tells the cause. */
    readonly errorId?: string,
  ) {
    super(message);
    this.status = statusByRefusal[code];
  }
}

/** The body of a refusal, in the shape of a GraphQL answer so that GraphQL clients can read it. */
export function refusalBody({ code, message, errorId }: HttpRefusal): string {
  const extensions = errorId === undefined ? { code } : { code, errorId };
  return JSON.stringify({ errors: [{ message, extensions }] });
}
