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
 */
export function answerBrokenRequest(error: Error, socket: Duplex, last: ServerResponse | undefined): void {
  const begun = last?.headersSent === true && !(last.writableFinished && last.req.complete);
  if (!socket.writable || begun) {
    socket.destroy();
    return;
  }
  const [code, phrase, message] = reasons["code" in error ? String(error.code) : ""] ?? [
    "BAD_REQUEST",
    "Bad Request",
    "This is not a well-formed HTTP/1.1 request.",
  ];
  const refusal = new HttpRefusal(code, message);
  const body = refusalBody(refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${phrase}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    "x-content-type-options: nosniff",
    "referrer-policy: no-referrer",
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => {
    socket.destroy();
  });
}
