/** Decides which web origins may read the answers of /graphql from a browser (the CORS protocol of the Fetch standard). */
import type { IncomingMessage } from "node:http";

/** Origins that may call from a browser: exact ones (`https://app.example`), every one (`"*"`), or none (`[]`). */
export type CorsOrigins = readonly string[] | "*";

const preflight = [
  "access-control-allow-methods",
  "GET, POST",
  "access-control-allow-headers",
  "content-type, authorization, x-api-key, apollo-require-preflight, x-request-id",
  // Seconds. Browsers cap it, Chromium at two hours.
  "access-control-max-age",
  "7200",
] as const;

/** The CORS headers of an answer. Credentials travel in headers that a page sets itself, so cookies are not allowed for. */
export class Cors {
  readonly #origins: ReadonlySet<string> | "*";

  constructor(origins: CorsOrigins) {
    this.#origins = origins === "*" ? origins : new Set(origins);
  }

  /** Adds to `headers` what the browser needs to show the answer to the page that asked. */
  allow(request: IncomingMessage, headers: string[]): void {
    if (this.#permit(request, headers)) {
      headers.push("access-control-expose-headers", "x-request-id, retry-after");
    }
  }

  /** Adds to `headers` the answer to a preflight request. */
  allowPreflight(request: IncomingMessage, headers: string[]): void {
    if (this.#permit(request, headers)) headers.push(...preflight);
  }

  #permit(request: IncomingMessage, headers: string[]): boolean {
    if (this.#origins === "*") {
      headers.push("access-control-allow-origin", "*");
      return true;
    }
    if (this.#origins.size === 0) return false;
    headers.push("vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined || !this.#origins.has(origin)) return false;
    headers.push("access-control-allow-origin", origin);
    return true;
  }
}
