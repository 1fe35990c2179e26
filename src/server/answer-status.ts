/** Gives a GraphQL answer the HTTP status that its media type asks for (GraphQL over HTTP, section 6.4). */

interface Answer {
  readonly data?: unknown;
  readonly errors: readonly { readonly extensions?: { readonly code?: unknown; http?: unknown } }[];
}

/** What is sent for an answer. */
export interface AnswerToSend {
  readonly status: number;
  readonly text: string;
  readonly hasData: boolean;
  /** `ok`, or the code of the first error. */
  readonly outcome: string;
}

/** The most errors of an answer, and the most bytes of them all, or of an answer that has nothing but errors. */
const [maxErrors, maxBytes] = [20, 16 * 1024];

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
  if (!text.startsWith('{"errors":')) return { status, text, hasData: true, outcome: "ok" };
  const answer = JSON.parse(text) as Answer;
  const hasData = hasSomeData(answer);
  const isChanged = withoutHttp(answer);
  const small = bounded(answer, text, hasData);
  const clean = isChanged || small !== answer ? JSON.stringify(small) + "\n" : text;
  const outcome = outcomeOf(answer);
  if (hasData) return { status: 200, text: clean, hasData, outcome };
  return { status: statusWithoutData(status, contentType, answer), text: clean, hasData: false, outcome };
}

/** The answer with no more errors than there may be, and without the nulls of its data if its keys are too long. */
function bounded(answer: Answer, text: string, hasData: boolean): Answer {
  const isSmall = Buffer.byteLength(text) <= maxBytes;
  if (isSmall && answer.errors.length <= maxErrors) return answer;
  let errors = answer.errors.slice(0, maxErrors);
  while (errors.length > 1 && sizeOf(errors) > maxBytes / 2) errors = errors.slice(0, errors.length / 2);
  if (isSmall || hasData || answer.data === undefined || sizeOf(answer.data) < maxBytes / 4)
    return { ...answer, errors };
  return { ...answer, errors, data: null };
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
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

/** Codes are ours or Apollo Server's; what is not of their form is no code. */
function outcomeOf({ errors: [first] }: Answer): string {
  const code = first?.extensions?.code;
  return typeof code === "string" && /^[A-Z][A-Z_]{0,63}$/.test(code) ? code : "ERROR";
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
