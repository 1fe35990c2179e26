/** One connection to ACS made at start, so that the first call does not wait for the handshakes of TCP and TLS. */
import { request as httpRequest, type Agent as HttpAgent } from "node:http";
import { request as httpsRequest } from "node:https";

/** The longest that it may take, in milliseconds. */
const timeoutMs = 2_000;

/**
 * Sends a bare `GET /`, which is no operation of ACS and counts against none of its limits; the agent keeps the
 * connection. Resolves when it is there, cannot be made, or after two seconds; never rejects: the first call then
 * connects by itself.
 */
export function preconnect(origin: string, agent: HttpAgent): Promise<void> {
  const request = origin.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    request(origin, { agent, signal: AbortSignal.timeout(timeoutMs) })
      .on("response", (response) => response.resume())
      .on("error", () => undefined)
      .once("close", resolve)
      .end();
  });
}
