/** From socket to socket: reads a request, lets its operation work, and answers as ACS does, or as a fault demands. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { versionsOf } from "./api-versions";
import { controlPath, mayControl, type Control } from "./control";
import type { Counts } from "./counts";
import type { Fault, Faults } from "./faults";
import type { SignedRequest } from "./hmac";
import type { Answer, Parts } from "./operations/operation";
import type { RateLimits } from "./rate-limits";
import { RestError } from "./rest-error";
import { authenticate, callOf, routeOf, type Route } from "./router";

/** Everything that a request can touch. */
export interface HandlerParts extends Parts {
  readonly faults: Faults;
  readonly counts: Counts;
  readonly limits: RateLimits;
  readonly control: Control;
}

const maxBodyBytes = 1024 * 1024;

/** What goes out: an answer's status and body, or an error's. */
interface Outcome {
  readonly status: number;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** Serves one emulator. */
export class RequestHandler {
  constructor(private readonly parts: HandlerParts) {}

  /** The listener for http, or for https (`secure`), where Entra tokens are accepted. */
  listener(secure: boolean): RequestListener {
    return (request, response) => {
      this.serve(request, response, secure).catch(() => {
        // The client has gone, or a fault has cut it off.
        response.destroy();
      });
    };
  }

  private async serve(request: IncomingMessage, response: ServerResponse, secure: boolean): Promise<void> {
    const startedAt = performance.now();
    const body = await readBody(request);
    const { method = "", url: target = "/", headers } = request;
    if (target.startsWith(controlPath)) {
      await this.serveControl(method, target, headers, body, response);
      return;
    }
    const route = body && routeOf(method, target, body);
    if (!route) {
      response.writeHead(body ? 404 : 413).end();
      return;
    }
    const signed = { method, target, host: headers.host ?? "", headers, body };
    const fault = this.parts.faults.meet(route.name);
    if (fault) this.parts.counts.of(route.name).faulted += 1;
    if (await this.failBefore(fault, response)) return;
    const outcome =
      fault?.kind === "identityGone" ? gone(this.parts) : await this.work(route, signed, secure);
    if (fault?.kind === "answerLate") await sleep(fault.latencyMs);
    const requestId = String(headers["x-ms-client-request-id"] ?? "");
    const time = `${Math.round(performance.now() - startedAt)}ms`;
    send(response, alter(outcome, fault), { ...common(requestId, time), ...outcome.headers }, fault);
  }

  /** True when the fault has answered, or will never. */
  private async failBefore(fault: Fault | undefined, response: ServerResponse): Promise<boolean> {
    const latencyMs = this.parts.settings.latencyMs + (fault?.kind === "latency" ? fault.latencyMs : 0);
    if (latencyMs > 0) await sleep(latencyMs);
    switch (fault?.kind) {
      case "status":
        response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
        response.end(
          fault.body ?? JSON.stringify({ error: { code: "Injected", message: "A fault on demand." } }),
        );
        return true;
      case "html502":
        response.writeHead(502, { "content-type": "text/html" });
        response.end(
          "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
        );
        return true;
      case "hang":
        return true;
      case "resetBefore":
        response.socket?.resetAndDestroy();
        return true;
      default:
        return false;
    }
  }

  private async work(route: Route, request: SignedRequest, secure: boolean): Promise<Outcome> {
    const counts = this.parts.counts.of(route.name);
    const versions = { "api-supported-versions": versionsOf(route.name).join(", ") };
    try {
      const who = authenticate(request, secure, this.parts);
      counts.received += 1;
      const requestId = request.headers["x-ms-client-request-id"];
      if (typeof requestId === "string") this.parts.counts.countRequestId(requestId);
      this.parts.limits.count(who.resource.id, route.name);
      const call = callOf(route, request, secure, who);
      const answer = await route.run(call, this.parts);
      counts.worked += 1;
      return success(answer, versions);
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      if (error.status === 429) counts.throttled += 1;
      // ACS leaves the header out when it refuses before its controller has seen the request.
      const early = error.code === "Denied" || error.target === "Scopes";
      return {
        status: error.status,
        body: error.body,
        headers: { "content-type": "application/json", ...(early ? {} : versions), ...error.headers },
      };
    }
  }

  private async serveControl(
    method: string,
    target: string,
    headers: IncomingMessage["headers"],
    body: Buffer | undefined,
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
    let parsed: unknown;
    try {
      parsed = body === undefined || body.length === 0 ? {} : JSON.parse(body.toString());
    } catch {
      reply(400, { error: "The body is not JSON." });
      return;
    }
    const answer = await this.parts.control.answer(
      method,
      target.split("?")[0] ?? "",
      parsed as Record<string, unknown>,
    );
    if (answer) reply(200, answer);
    else reply(404, { error: "No such route." });
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function success(answer: Answer, versions: Record<string, string>): Outcome {
  if (!answer.body) return { status: answer.status, body: undefined, headers: versions };
  const headers = { "content-type": "application/json; charset=utf-8", ...versions };
  return { status: answer.status, body: JSON.stringify(answer.body), headers };
}

function gone({ settings }: Parts): Outcome {
  const error = new RestError(settings.goneStatus, settings.goneCode, "Provided identity doesn't exist.");
  return { status: error.status, body: error.body, headers: { "content-type": "application/json" } };
}

/** The headers of every answer of ACS. */
function common(requestId: string, processingTime: string): Record<string, string> {
  return {
    "ms-cv": `${randomBytes(16).toString("base64").replace(/=+$/, "")}.0`,
    "request-context": "appId=",
    "x-processing-time": processingTime,
    "x-cache": "CONFIG_NOCACHE",
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
      response.socket?.resetAndDestroy();
      return;
    case "resetInBody": {
      const text = body ?? "{}";
      response.writeHead(status, { ...headers, "content-length": String(Buffer.byteLength(text)) });
      response.write(text.slice(0, Math.ceil(text.length / 2)), () => {
        response.socket?.resetAndDestroy();
      });
      return;
    }
    default:
      // Errors of ACS come chunked, successes with their length.
      if (body === undefined || status >= 300) response.writeHead(status, headers);
      else response.writeHead(status, { ...headers, "content-length": String(Buffer.byteLength(body)) });
      response.end(body);
  }
}
