/** A request that is refused before GraphQL sees it: a stable code, its HTTP status and what the client can do. */

/** Every `extensions.code` with which the HTTP room itself answers, its status, and what it means (Markdown, for the documentation). */
export const refusals = {
  BAD_REQUEST: { status: 400, means: "The request is malformed; the message says what is wrong." },
  NOT_FOUND: { status: 404, means: "Nothing is served at this path." },
  OPERATION_NOT_LISTED: {
    status: 403,
    means:
      "The gateway serves the operations of a list, and this is none of them. The operator adds it; do not retry.",
  },
  PERSISTED_QUERY_NOT_FOUND: {
    status: 200,
    means: "No operation has this id. 200 as Apollo Server answers it: clients then send the whole document.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    means: "The path exists, the method does not; `Allow` lists those that do.",
  },
  REQUEST_TIMEOUT: { status: 408, means: "The request did not arrive within the time given to it." },
  PAYLOAD_TOO_LARGE: { status: 413, means: "The body is larger than the configured limit." },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    means: "The body is not `application/json` in UTF-8, or is compressed.",
  },
  EXPECTATION_FAILED: { status: 417, means: "`Expect` asks for something other than `100-continue`." },
  REQUEST_HEADER_FIELDS_TOO_LARGE: { status: 431, means: "URL and headers together are too large." },
  INTERNAL_SERVER_ERROR: { status: 500, means: "A fault of the gateway, in its log under `errorId`." },
  OPERATION_TIMEOUT: {
    status: 504,
    means:
      "The operation took too long. What it has begun may still take effect: creating, revoking and deleting go on.",
  },
} as const;

/** The codes of {@link HttpRefusal}. */
export type RefusalCode = keyof typeof refusals;

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
    this.status = refusals[code].status;
  }
}

/** The body of a refusal, in the shape of a GraphQL answer so that GraphQL clients can read it. */
export function refusalBody({ code, message, errorId }: HttpRefusal): string {
  const extensions = errorId === undefined ? { code } : { code, errorId };
  return JSON.stringify({ errors: [{ message, extensions }] });
}
