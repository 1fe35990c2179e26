/** One GraphQL operation sent to the gateway, and what is thrown when it fails. */

/** Where the gateway is, and how it knows who asks. */
export interface GatewayOptions {
  /** The gateway's endpoint: `https://gateway.example.com/graphql`. */
  readonly endpoint: string;
  /**
   * The value of the Authorization header: `Bearer` and the signed-in user's access token. Asked before every request, so
   * it may renew that token. What it throws is the `cause` of a {@link TokenRefreshError}.
   */
  readonly getAuthorization: (options: { readonly signal: AbortSignal }) => string | Promise<string>;
  /** The identity; the signed-in user's own when left out. */
  readonly identityId?: string;
  /** The user's identity for this device, such as `phone`, instead of his own. */
  readonly device?: string;
  /** Instead of the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** Ends everything, for instance when the user signs out. */
  readonly signal?: AbortSignal;
}

/**
 * Why there is no token. `code` is the gateway's `extensions.code` (`UNAUTHENTICATED`, `RATE_LIMITED` …), or
 * `NETWORK_ERROR`, `TIMEOUT`, `NOT_A_GATEWAY` (the answer is not GraphQL), `AUTHORIZATION_FAILED` (`getAuthorization`
 * threw), `TOKEN_EXPIRED` (by this device's clock).
 */
export class TokenRefreshError extends Error {
  override readonly name = "TokenRefreshError";

  constructor(
    readonly code: string,
    message: string,
    /** Whether the same request would fail again, until somebody does something about it. */
    readonly permanent: boolean,
    /** How long the gateway asks to wait, in seconds. */
    readonly retryAfterSeconds?: number,
    override readonly cause?: unknown,
  ) {
    super(message);
  }
}

interface Failure {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly retryAfterSeconds?: number };
}

interface Answer<T> {
  readonly data?: T | null;
  readonly errors?: readonly Failure[];
}

const permanentCodes =
  /^(BAD_|FORBIDDEN|UNAUTHENTICATED|IDENTITY_NOT_|GRAPHQL_|OPERATION_(?!TI)|UPSTREAM_REJECTED)/;

/** Sends an operation. Throws {@link TokenRefreshError} when the gateway does not answer with GraphQL, or `signal` aborts. */
export async function send(
  { endpoint, getAuthorization, fetch: send = fetch }: GatewayOptions,
  accept: string,
  operation: { readonly query: string; readonly variables: object },
  signal: AbortSignal,
): Promise<Response> {
  let authorization: string;
  try {
    authorization = (await getAuthorization({ signal })).trim();
  } catch (error) {
    throw new TokenRefreshError("AUTHORIZATION_FAILED", "getAuthorization failed.", true, undefined, error);
  }
  // The error that fetch throws for it would tell the whole value.
  if (/[^ -~]/.test(authorization)) {
    throw new TokenRefreshError(
      "AUTHORIZATION_FAILED",
      "getAuthorization gave what no header may hold.",
      true,
    );
  }
  try {
    return await send(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", accept, authorization },
      body: JSON.stringify(operation),
      signal,
    });
  } catch (error) {
    throw new TokenRefreshError("NETWORK_ERROR", "The gateway cannot be reached.", false, undefined, error);
  }
}

/** The data of an answer. Throws {@link TokenRefreshError} for an answer with errors, or one that is not GraphQL. */
export async function dataOf<T>(response: Response): Promise<T> {
  let answer: Answer<T> | null = null;
  try {
    answer = (await response.json()) as Answer<T> | null;
  } catch {
    // A proxy's page, or half an answer.
  }
  if (answer?.data && !answer.errors?.length) return answer.data;
  throw errorOf(answer?.errors?.[0], response);
}

/** What an error of the gateway means for whoever would try again. */
export function errorOf(failure: Failure | undefined, { status, headers }: Response): TokenRefreshError {
  const { code, retryAfterSeconds } = failure?.extensions ?? {};
  const wait = headers.get("retry-after") ?? "";
  const untilDate = Math.max(0, Math.ceil((Date.parse(wait) - Date.now()) / 1_000));
  const refused = status > 399 && status < 500 && ![408, 409, 429].includes(status);
  return new TokenRefreshError(
    code ?? "NOT_A_GATEWAY",
    failure?.message ?? `The answer is not a gateway's (HTTP status ${status}).`,
    refused || permanentCodes.test(code ?? ""),
    // RFC 9110, section 10.2.3: seconds, or a date.
    retryAfterSeconds ?? (Number(wait) || untilDate || undefined),
  );
}

/** What was thrown, as an error of ours: whatever else it is comes of an answer that has not the gateway's shape. */
export function failureOf(thrown: unknown): TokenRefreshError {
  if (thrown instanceof TokenRefreshError) return thrown;
  return new TokenRefreshError("NOT_A_GATEWAY", "The answer is not a gateway's.", false, undefined, thrown);
}
