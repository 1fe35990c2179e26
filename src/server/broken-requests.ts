/** Answers what Node's HTTP parser gives up on: garbage, oversized headers and clients that are too slow. */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { HttpRefusal, refusalBody, type RefusalCode } from "./http-refusal";

const reasons: Readonly<Record<string, readonly [RefusalCode, string, string]>> = {
  HPE_HEADER_OVERFLOW: [
    "REQUEST_HEADER_FIELDS_TOO_LARGE",
    "Request Header Fields Too Large",
    "URL and headers together are too large.",
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [
    "PAYLOAD_TOO_LARGE",
    "Payload Too Large",
    "The chunk extensions are too large.",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    "REQUEST_TIMEOUT",
    "Request Timeout",
    "The request did not arrive completely within the time given to it.",
  ],
};

/**
 * Answers on the bare socket and closes it.
 * @param last the last response begun on this connection, if any: what it has begun must not be written into.
 * @param headers those of every answer: name, value, name, value …
 * @returns the code, if it was answered.
 */
export function answerBrokenRequest(
  error: Error,
  socket: Duplex,
  last: ServerResponse | undefined,
  headers: readonly string[],
): RefusalCode | undefined {
  const begun = last?.headersSent === true && !(last.writableFinished && last.req.complete);
  if (!socket.writable || begun) {
    socket.destroy();
    return undefined;
  }
  const [code, phrase, message] = reasons["code" in error ? String(error.code) : ""] ?? [
    "BAD_REQUEST",
    "Bad Request",
    "This is not a well-formed HTTP/1.1 request.",
  ];
  refuseOnSocket(socket, new HttpRefusal(code, message), phrase, headers);
  return code;
}

/** Refuses in words on a socket that HTTP has let go of, and closes it. */
export function refuseOnSocket(
  socket: Duplex,
  refusal: HttpRefusal,
  phrase: string,
  headers: readonly string[],
): void {
  const body = refusalBody(refusal);
  const fields = [
    ...["content-type", "application/json; charset=utf-8", "content-length", Buffer.byteLength(body)],
    ...headers,
    ...refusal.headers,
    ...["connection", "close"],
  ];
  let head = `HTTP/1.1 ${refusal.status} ${phrase}\r\n`;
  for (let i = 0; i + 1 < fields.length; i += 2) head += `${fields[i] ?? ""}: ${fields[i + 1] ?? ""}\r\n`;
  socket.end(`${head}\r\n${body}`, () => {
    socket.destroy();
  });
}
