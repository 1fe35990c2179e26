/** Tells whether a request comes from a page on this very machine, so that it may be shown the development key. */
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";

const loopbackName = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i;
const loopbackAddress = /^(?:127\.|::ffff:127\.|::1$)/;

/** Headers by which a proxy or a tunnel says that it passes on somebody else's request. */
const forwarded = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"] as const;

/**
 * True if the client is on this machine and meant this machine.
 *
 * The peer's address alone would let any web site in through the user's own browser, by pointing its own name at
 * 127.0.0.1 (DNS rebinding); the Host header alone would let in whoever can reach the port, since clients other than
 * browsers write there what they like. Another site may send the user here, but may not fetch or embed.
 */
export function isLocalRequest({ headers, socket }: IncomingMessage): boolean {
  if (headers.host === undefined || !loopbackName.test(headers.host)) return false;
  if (!loopbackAddress.test(socket.remoteAddress ?? "")) return false;
  if (forwarded.some((name) => headers[name] !== undefined)) return false;
  // What a browser too old for Sec-Fetch-Site sends along with another site's fetch.
  const scheme = socket instanceof TLSSocket ? "https" : "http";
  if (headers.origin !== undefined && headers.origin !== `${scheme}://${headers.host}`) return false;
  const site = headers["sec-fetch-site"] ?? "none";
  return site === "none" || site === "same-origin" || headers["sec-fetch-dest"] === "document";
}
