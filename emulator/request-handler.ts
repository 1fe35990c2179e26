/** From socket to socket: reads a request, lets its operation work, and answers as ACS does, or as a fault demands. */
import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { versionsOf } from "./api-versions";
import { controlPath, mayControl, type Control } from "./control";
import type { Counts } from "./counts";
import type { Fault } from "./fault";
import type { Faults } from "./faults";
import type { SignedRequest } from "./hmac";
import type { Answer, Parts } from "./operations/operation";
import type { RateLimits } from "./rate-limits";
import { RestError } from "./rest-error";
import { authenticate, callOf, jsonObject, routeOf, type OperationName, type Route } from "./router";

/** Everything that a request can touch. */
export interface HandlerParts extends Parts {
  readonly faults: Faults;
  readonly counts: Counts;
  readonly limits: RateLimits;
  readonly control: Control;
}

const maxBodyBytes = 1024 * 1024;

/** `X-Processing-Time` of Azure's own answers as recorded, in milliseconds; the middle of the range where there is one. */
const recordedLatencyMs: Readonly<Record<OperationName, number>> = {
  createIdentity: 58,
  createIdentityWithToken: 77,
  issueAccessToken: 170,
  revokeAccessTokens: 236,
  deleteIdentity: 414,
  exchangeTeamsToken: 313,
};

/** What goes out: an answer's status and body, or an error's. */
interface Outcome {
  readonly status: number;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** Serves one emulator. */
export class RequestHandler {
  private readonly closing = new AbortController();

  constructor(private readonly parts: HandlerParts) {
    // Every request that waits listens to it.
    setMaxListeners(0, this.closing.signal);
  }

  /** Gives up every request that waits: it neither works nor answers any more. */
  close(): void {
    this.closing.abort();
  }

  /** The listener for http, or for https (`secure`), where Entra tokens are accepted. */
  listener(secure: boolean): RequestListener {
    return (request, response) => {
      this.serve(request, response, secure).catch((error: unknown) => {
        const nobodyListens = request.destroyed && !request.complete;
        if (nobodyListens || response.headersSent || this.closing.signal.aborted) {
          response.destroy();
          return;
        }
        // A mistake of the emulator's own must not look like a broken connection.
        process.stderr.write(`acs-identity-emulator: ${(error as Error).stack ?? String(error)}\n`);
        response.writeHead(500).end();
      });
    };
  }

  private async serve(request: IncomingMessage, response: ServerResponse, secure: boolean): Promise<void> {
    const startedAt = performance.now();
    const body = await readBody(request);
    const { method = "", url: target = "/", headers } = request;
    if (!body) {
      response.writeHead(413).end();
      return;
    }
    if (target.startsWith(controlPath)) {
      await this.serveControl(method, target, headers, body, response);
      return;
    }
    const route = routeOf(method, target, body);
    if (!route) {
      response.writeHead(404).end();
      return;
    }
    const requestId = String(headers["x-ms-client-request-id"] ?? "");
    if (requestId !== "") this.parts.counts.countRequestId(requestId);
    const signed = { method, target, host: headers.host ?? "", headers, body };
    const fault = this.parts.faults.meet(route.name);
    if (fault) this.parts.counts.of(route.name).faulted += 1;
    await this.wait(this.latencyOf(route.name) + (fault?.kind === "latency" ? fault.latencyMs : 0));
    if (failBefore(fault, response)) return;
    const outcome =
      fault?.kind === "identityGone" ? gone(this.parts) : await this.work(route, signed, secure);
    if (fault?.kind === "answerLate") await this.wait(fault.latencyMs);
    const time = `${Math.round(performance.now() - startedAt)}ms`;
    const date = new Date(this.parts.settings.clock()).toUTCString();
    const answered = { ...common(requestId, time, date), ...outcome.headers };
    send(response, alter(outcome, fault), answered, fault);
  }

  private latencyOf(operation: OperationName): number {
    const { latencyMs } = this.parts.settings;
    return latencyMs === "recorded" ? recordedLatencyMs[operation] : latencyMs;
  }

  private async wait(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.closing.signal });
  }

  private async work(route: Route, request: SignedRequest, secure: boolean): Promise<Outcome> {
    const counts = this.parts.counts.of(route.name);
    const versions = { "api-supported-versions": versionsOf(route.name).join(", ") };
    try {
      const who = authenticate(request, secure, this.parts);
      counts.received += 1;
      this.parts.limits.count(who.resource.id, route.name);
      const call = callOf(route, request, secure, who);
      const answer = await route.run(call, this.parts);
      counts.worked += 1;
      return success(answer, versions);
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      if (error.status === 429) counts.throttled += 1;
      const { status, body, early, headers } = error;
      return {
        status,
        body,
        headers: { "Content-Type": "application/json", ...(early ? {} : versions), ...headers },
      };
    }
  }

  private async serveControl(
    method: string,
    target: string,
    headers: IncomingMessage["headers"],
    body: Buffer,
    response: ServerResponse,
  ): Promise<void> {
    const reply = (status: number, answer: object) => {
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
      response.end(JSON.stringify(answer));
    };
    if (!mayControl(method, headers)) {
      reply(403, {
        error: "Control requests come from this machine, not from a web page, and POST application/json.",
      });
      return;
    }
    const parsed = body.length === 0 ? {} : jsonObject(body);
    if (!parsed) {
      reply(400, { error: "The body is not a JSON object." });
      return;
    }
    try {
      const answer = await this.parts.control.answer(method, target.split("?")[0] ?? "", parsed);
      if (answer) reply(200, answer);
      else reply(404, { error: "No such route." });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      reply(400, { error: error.message });
    }
  }
}

/** The body; undefined when it is too long. It is read to its end even then, or the client could not read the answer. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  return size <= maxBodyBytes ? Buffer.concat(chunks) : undefined;
}

/** True when the fault has answered, or will never. */
function failBefore(fault: Fault | undefined, response: ServerResponse): boolean {
  switch (fault?.kind) {
    case "status":
      response.writeHead(fault.status, { "Content-Type": "application/json", ...fault.headers });
      response.end(
        fault.body ?? JSON.stringify({ error: { code: "Injected", message: "A fault on demand." } }),
      );
      return true;
    case "html502":
      response.writeHead(502, { "Content-Type": "text/html" });
      response.end(
        "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
      );
      return true;
    case "hang":
      return true;
    case "resetBefore":
      cut(response);
      return true;
    default:
      return false;
  }
}

/** Cuts the connection: with a TCP reset where Node can send one, which is not over TLS. */
function cut({ socket }: ServerResponse): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket?.resetAndDestroy();
}

function success(answer: Answer, versions: Record<string, string>): Outcome {
  if (!answer.body) return { status: answer.status, body: undefined, headers: versions };
  const headers = { "Content-Type": "application/json; charset=utf-8", ...versions };
  return { status: answer.status, body: JSON.stringify(answer.body), headers };
}

function gone({ settings }: Parts): Outcome {
  const error = new RestError(settings.goneStatus, settings.goneCode, "Provided identity doesn't exist.");
  return { status: error.status, body: error.body, headers: { "Content-Type": "application/json" } };
}

/** The headers of every answer of ACS, written as ACS writes them. */
function common(requestId: string, processingTime: string, date: string): Record<string, string> {
  const random = randomBytes(32).toString("base64");
  return {
    Date: date,
    "MS-CV": `${random.slice(0, 22)}.0`,
    "Request-Context": "appId=",
    "X-Processing-Time": processingTime,
    "X-Azure-Ref": random.slice(22),
    "X-Cache": "CONFIG_NOCACHE",
    ...(requestId === "" ? {} : { "x-ms-client-request-id": requestId }),
  };
}

/** What a fault makes of a success. */
function alter(outcome: Outcome, fault: Fault | undefined): Outcome {
  switch (fault?.kind) {
    case "wrongSuccess":
      return outcome.status < 300 ? { ...outcome, status: fault.status ?? 202 } : outcome;
    case "missingExpiresOn":
      return { ...outcome, body: outcome.body?.replace(/,"expiresOn":"[^"]*"/, "") };
    case "malformedJson":
      return { ...outcome, body: outcome.body?.slice(0, Math.ceil(outcome.body.length / 2)) };
    default:
      return outcome;
  }
}

function send(
  response: ServerResponse,
  { status, body }: Outcome,
  headers: Record<string, string>,
  fault: Fault | undefined,
): void {
  switch (fault?.kind) {
    case "hangAfter":
      return;
    case "resetAfter":
      cut(response);
      return;
    case "resetInBody":
      // An answer without a body cannot be cut within it.
      if (body === undefined) {
        cut(response);
        return;
      }
      response.writeHead(status, { ...headers, "Content-Length": String(Buffer.byteLength(body)) });
      response.write(body.slice(0, Math.ceil(body.length / 2)), () => {
        // Ends the connection in order, so that what was written arrives before the cut.
        response.socket?.end();
      });
      return;
    default:
      // Errors of ACS come chunked, successes with their length.
      if (body === undefined || status >= 300) response.writeHead(status, headers);
      else response.writeHead(status, { ...headers, "Content-Length": String(Buffer.byteLength(body)) });
      response.end(body);
  }
}
