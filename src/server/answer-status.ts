/** Gives a GraphQL answer the HTTP status that its media type asks for (GraphQL over HTTP, section 6.4). */

interface Answer {
  readonly data?: unknown;
  readonly errors: readonly { readonly extensions?: { readonly code?: unknown; http?: unknown } }[];
}

/** What is sent of a GraphQL answer. */
export interface AnswerToSend {
  readonly status: number;
  readonly text: string;
  readonly hasData: boolean;
  /** Of the first error, whatever it is; undefined without errors. */
  readonly errorCode: unknown;
}

/** Statuses by which `application/json` says nothing more than "see errors". */
const sayNothing = new Set([400, 404, 409]);

/**
 * The status and body to send for a GraphQL answer, and whether it has data.
 *
 * With data the status is 200, whatever errors stand beside it; data of nothing but nulls is none. Without data it is
 * what the errors ask for, and 500 for a fault that asks for nothing. In `application/json`, where an intermediary could have written the answer as
 * well, a client can only trust the body of a 2xx: there 400, 404 and 409 become 200 if the request was a well-formed
 * GraphQL request. 401, 403, 405, 429 and 5xx are kept for the proxies and SDKs that act on them.
 *
 * @param status what Apollo Server chose, from `extensions.http` of the errors.
 * @param text the answer as JSON. Apollo Server writes `errors` first, so answers without errors are not parsed.
 */
export function statusOfAnswer(status: number, contentType: string, text: string): AnswerToSend {
  if (!text.startsWith('{"errors":')) return { status, text, hasData: true, errorCode: undefined };
  const answer = JSON.parse(text) as Answer;
  const clean = withoutHttp(answer) ? JSON.stringify(answer) + "\n" : text;
  const errorCode = answer.errors[0]?.extensions?.code ?? "";
  if (hasSomeData(answer)) return { status: 200, text: clean, hasData: true, errorCode };
  return { status: statusWithoutData(status, contentType, answer), text: clean, hasData: false, errorCode };
}

function statusWithoutData(status: number, contentType: string, answer: Answer): number {
  if (status === 200 && hasCode(answer, "INTERNAL_SERVER_ERROR")) return 500;
  const legacy = contentType.startsWith("application/json");
  // BAD_REQUEST is Apollo Server's code for what is not a GraphQL request at all.
  return legacy && sayNothing.has(status) && !hasCode(answer, "BAD_REQUEST") ? 200 : status;
}

function hasSomeData({ data }: Answer): boolean {
  return typeof data === "object" && data !== null && !Object.values(data).every(isNothing);
}

function isNothing(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.length > 0 && value.every(isNothing));
}

function hasCode(answer: Answer, code: string): boolean {
  return answer.errors.some((error) => error.extensions?.code === code);
}

/** `extensions.http` is meant for Apollo Server, which leaves it in if it is not of the exact shape. True if it was there. */
function withoutHttp(answer: Answer): boolean {
  let found = false;
  for (const { extensions } of answer.errors) {
    if (extensions === undefined || !("http" in extensions)) continue;
    delete extensions.http;
    found = true;
  }
  return found;
}
