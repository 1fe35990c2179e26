/** The routes for those who run the gateway: /health/live and /health/ready. */
import type { ServerResponse } from "node:http";
import type { Readiness } from "../services/telemetry/health";
import { HttpRefusal } from "./http-refusal";
import type { Page, PageExchange } from "./page";

/** Asks the parts. The implementation owns the deadline. */
export interface Health {
  ready(): Promise<Readiness>;
}

/** Answers health checks: live asks nobody, ready asks the parts, and says no while draining. */
export class OperationalRoutes implements Page {
  constructor(
    private readonly health: Health,
    private readonly draining: () => boolean,
    private readonly onError: (error: unknown) => void,
  ) {}

  async handle({ request, response, path }: PageExchange): Promise<boolean> {
    if (path !== "/health/live" && path !== "/health/ready") return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "Health is read with GET or HEAD.", ["allow", "GET, HEAD"]);
    }
    if (path === "/health/live") {
      send(response, 200, { status: "live" });
    } else {
      const readiness = await this.#readiness();
      send(response, readiness.status === "ready" || readiness.status === "degraded" ? 200 : 503, readiness);
    }
    return true;
  }

  async #readiness(): Promise<Readiness | { status: "draining"; parts: Record<string, string> }> {
    if (this.draining()) return { status: "draining", parts: {} };
    try {
      return await this.health.ready();
    } catch (error) {
      this.onError(error);
      return { status: "unready", parts: {} };
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
