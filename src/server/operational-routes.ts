/** The routes for whoever keeps the gateway running: /health/live, /health/ready and /health/startup. */
import type { ServerResponse } from "node:http";
import type { Readiness } from "../services/telemetry/health";
import { HttpRefusal } from "./http-refusal";
import type { Page, PageExchange } from "./page";

/** What is known of the gateway's health. To tell it must cost nothing: anybody may ask, as often as he likes. */
export interface Health {
  ready(): Readiness | Promise<Readiness>;
  /** Whether the gateway has done all that it does before its first request; true when left out. */
  started?(): boolean;
}

/** A status and what is said with it. */
type Told = readonly [status: number, body: object];

/**
 * Answers health checks. Live: the event loop turns, and nothing else is looked at, because a restart mends nothing
 * else. Ready: send requests here. Startup: the other two may be asked.
 */
export class OperationalRoutes implements Page {
  readonly #tell: Readonly<Record<string, () => Told | Promise<Told>>> = {
    "/health/live": () => [200, { status: "live" }],
    "/health/ready": () => this.#readiness(),
    "/health/startup": () =>
      (this.health.started?.() ?? true) ? [200, { status: "started" }] : [503, { status: "starting" }],
  };

  constructor(
    private readonly health: Health,
    private readonly draining: () => boolean,
    private readonly onError: (error: unknown) => void,
  ) {}

  async handle({ request, response, path }: PageExchange): Promise<boolean> {
    if (!Object.hasOwn(this.#tell, path)) return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "Health is read with GET or HEAD.", ["allow", "GET, HEAD"]);
    }
    const told = await this.#tell[path]?.();
    if (told) send(response, ...told);
    return told !== undefined;
  }

  async #readiness(): Promise<Told> {
    if (this.draining()) return [503, { status: "draining", parts: {} }];
    try {
      const readiness = await this.health.ready();
      return [readiness.status === "unready" ? 503 : 200, readiness];
    } catch (error) {
      this.onError(error);
      return [503, { status: "unready", parts: {} }];
    }
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader("content-length", Buffer.byteLength(text));
  response.writeHead(status);
  response.end(text);
}
