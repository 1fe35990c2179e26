/** Stands before a gateway and spoils its answers on command: a real HTTP server that forwards what it does not spoil. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to a request instead of being forwarded. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => void;

export interface Front extends AsyncDisposable {
  readonly url: string;
  /** One for each request to come, in order; none left: forwarded. */
  readonly faults: Fault[];
  /** The bodies of the requests, and when they came. */
  readonly requests: {
    readonly body: string;
    readonly at: number;
    readonly authorization: string | undefined;
  }[];
  /** Requests that were given up by their client. */
  readonly dropped: () => number;
}

export const answer =
  (status: number, body: string | object, headers: Record<string, string> = {}): Fault =>
  (_request, response) => {
    const type = typeof body === "string" ? "text/html" : "application/graphql-response+json";
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

export const refuse = (status: number, code: string, extensions: object = {}): Fault =>
  answer(status, { errors: [{ message: "No.", extensions: { code, ...extensions } }] });

export const reset: Fault = (request) => void request.socket.destroy();

export const hang: Fault = () => undefined;

/** Starts it on a free loopback port, in front of `target`. */
export async function startFront(target: string): Promise<Front> {
  const faults: Fault[] = [];
  const requests: Front["requests"] = [];
  let dropped = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const at = Date.now();
      let body = "";
      for await (const chunk of request) body += String(chunk);
      const { authorization = "", accept = "" } = request.headers;
      requests.push({ body, at, authorization });
      response.once("close", () => {
        if (!response.writableFinished) dropped++;
      });
      const fault = faults.shift();
      if (fault) {
        fault(request, response);
        return;
      }
      const headers = { "content-type": "application/json", authorization, accept };
      const forwarded = await fetch(target, { method: "POST", body, headers });
      response.writeHead(forwarded.status, { "content-type": forwarded.headers.get("content-type") ?? "" });
      response.end(await forwarded.text());
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    faults,
    requests,
    dropped: () => dropped,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** An answer to issueToken with a token that the credential can read, and that lives so many seconds. */
export function shortToken(seconds: number): Fault {
  return (request, response) => {
    const expiresAt = Date.now() + seconds * 1_000;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = `${part({ alg: "none" })}.${part({ exp: expiresAt / 1_000 })}.`;
    const accessToken = {
      token,
      expiresOn: new Date(expiresAt).toISOString(),
      scopes: ["CHAT"],
      source: "CACHE",
    };
    answer(200, { data: { issueToken: { identity: { id: "8:acs:a_b" }, accessToken } } })(request, response);
  };
}
