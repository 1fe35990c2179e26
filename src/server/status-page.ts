/** Serves the status page under /status: static files without figures or secrets. The page reads /metrics. */
import { HttpRefusal } from "./http-refusal";
import type { Page, PageExchange } from "./page";
import { notBuilt, StaticFiles } from "./static-files";

const root = "/status";

/** Everything comes from this server, nothing is inline, and no text becomes markup. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

export class StatusPage implements Page {
  readonly #files: StaticFiles;

  /** @param directory the built page. It need not exist: then a page says how to build it. */
  constructor(directory: string) {
    this.#files = new StaticFiles(directory, contentSecurityPolicy);
  }

  async handle({ request, response, path }: PageExchange): Promise<boolean> {
    if (path !== root && !path.startsWith(`${root}/`)) return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "The status page is read with GET or HEAD.", [
        "allow",
        "GET, HEAD",
      ]);
    }
    const name = path.slice(root.length + 1) || "index.html";
    if (await this.#files.send(response, name)) return true;
    if (name !== "index.html") {
      throw new HttpRefusal("NOT_FOUND", `There is nothing at this path. The status page is ${root}.`);
    }
    this.#files.sendText(response, "text/html; charset=utf-8", notBuilt("The status page"), { status: 503 });
    return true;
  }
}
