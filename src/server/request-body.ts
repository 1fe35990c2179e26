/** Reads the JSON body of a GraphQL request, within a limit, and refuses everything else in words. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { HttpRefusal } from "./http-refusal";
import type { KnownBodies } from "./known-bodies";

const example = `{"query": "{ __typename }"}`;
const jsonType = /^application\/json[ \t]*(?:;|$)/i;
const charset = /;[ \t]*charset[ \t]*=[ \t]*"?([^";, \t]*)/i;

/** The client disconnected while its request was being read: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * The request's body as a JSON object.
 * @param limitBytes a body of exactly this size is accepted, one byte more is not.
 * @throws {@link HttpRefusal} for a body that is too large, compressed, not JSON, not UTF-8 or not an object, and
 * {@link ClientGone}.
 * @param known spares the parsing of those that it knows; what it gives is frozen.
 */
export function readJsonObject(
  request: IncomingMessage,
  limitBytes: number,
  known?: KnownBodies,
): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    checkHeaders(request, limitBytes);
    readAll(request, limitBytes, reject, (bytes) => {
      try {
        resolve(known ? known.valueOf(bytes, objectIn) : objectIn(bytes));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

function objectIn(bytes: Buffer): Record<string, unknown> {
  if (bytes.length === 0) {
    throw new HttpRefusal("BAD_REQUEST", `The body is empty. Send a JSON object such as ${example}.`);
  }
  if (!isUtf8(bytes)) {
    throw new HttpRefusal("BAD_REQUEST", "The body is not valid UTF-8. Send JSON encoded as UTF-8.");
  }
  return parseObject(bytes.toString("utf8"));
}

/** True if the request says that its body is larger than `limitBytes`. */
export function declaresTooMuch(request: IncomingMessage, limitBytes: number): boolean {
  return Number(request.headers["content-length"] ?? 0) > limitBytes;
}

function checkHeaders(request: IncomingMessage, limitBytes: number): void {
  const type = request.headers["content-type"] ?? "";
  if (type !== "application/json") {
    const encoding = charset.exec(type)?.[1]?.toLowerCase() ?? "utf-8";
    if (!jsonType.test(type) || (encoding !== "utf-8" && encoding !== "utf8")) {
      throw new HttpRefusal(
        "UNSUPPORTED_MEDIA_TYPE",
        "Send the request as JSON in UTF-8, with the header `content-type: application/json`.",
      );
    }
  }
  const coding = request.headers["content-encoding"];
  if (coding !== undefined && coding.toLowerCase() !== "identity") {
    throw new HttpRefusal(
      "UNSUPPORTED_MEDIA_TYPE",
      "Compressed bodies are not accepted. Send it uncompressed.",
      ["accept-encoding", "identity"],
    );
  }
  if (declaresTooMuch(request, limitBytes)) throw tooLarge(limitBytes);
}

function tooLarge(limitBytes: number): HttpRefusal {
  return new HttpRefusal("PAYLOAD_TOO_LARGE", `The body is larger than the limit of ${limitBytes} bytes.`);
}

function readAll(
  request: IncomingMessage,
  limitBytes: number,
  fail: (error: Error) => void,
  done: (bytes: Buffer) => void,
): void {
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let size = 0;
  // Listeners that have nothing to do any more are quicker than to take them away.
  let over = false;
  const take = (chunk: Buffer): void => {
    if (over) return;
    size += chunk.length;
    if (size > limitBytes) {
      over = true;
      fail(tooLarge(limitBytes));
    } else if (first === undefined) first = chunk;
    else (chunks ??= [first]).push(chunk);
  };
  const finish = (): void => {
    if (over) return;
    over = true;
    done(chunks === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(chunks, size));
  };
  // The stream may still report why it ended, and is heard.
  const gone = (): void => {
    if (over) return;
    over = true;
    fail(new ClientGone("The client disconnected while sending its request."));
  };
  request.on("data", take).on("end", finish).on("close", gone);
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    // A byte order mark is not JSON, yet some clients send one.
    value = JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
  } catch {
    throw new HttpRefusal(
      "BAD_REQUEST",
      `The body is not valid JSON. Send a JSON object such as ${example}.`,
    );
  }
  if (Array.isArray(value)) {
    throw new HttpRefusal("BAD_REQUEST", "Batches are not accepted. Send one operation per request.");
  }
  if (typeof value !== "object" || value === null) {
    throw new HttpRefusal("BAD_REQUEST", `The body is JSON but not an object. Send one such as ${example}.`);
  }
  return value as Record<string, unknown>;
}
