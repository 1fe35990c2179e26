/** Serves the self-hosted GraphQL explorer under /explorer: the files of its build, and the settings it starts with. */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { HttpRefusal } from "./http-refusal";
import { isLocalRequest } from "./local-request";
import type { Page, PageExchange } from "./page";

/** What the explorer shows and where it is found. */
export interface ExplorerOptions {
  /** The directory of the built page. It need not exist: then a page says how to build it. */
  readonly directory: string;
  /** The path of the GraphQL endpoint, for example `/graphql`. */
  readonly endpointPath: string;
  /** The GraphQL document to begin with. */
  readonly operations: string;
  /** Sent along as `x-api-key`. Given to pages on this machine only. */
  readonly developmentKey?: string;
}

/** What the page reads from /explorer/settings.json. */
export interface ExplorerSettings {
  /** The path of the GraphQL endpoint. */
  readonly endpoint: string;
  /** The GraphQL document to begin with. */
  readonly operations: string;
  /** Request headers to begin with. */
  readonly headers: Readonly<Record<string, string>>;
}

const root = "/explorer";

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".ttf": "font/ttf",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
};

/** Everything comes from this server. The editor writes its styles into the page. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>The explorer is not built</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The explorer is not built</h1>
<p>Run <code>npm run build</code>, then start the gateway again.
</html>
`;

/** The explorer's page. */
export class Explorer implements Page {
  /** The files that are served, by request path: nothing else can be reached, however a path is written. */
  readonly #files: ReadonlyMap<string, string>;

  constructor(private readonly options: ExplorerOptions) {
    this.#files = filesOf(options.directory);
  }

  async handle({ request, response, path }: PageExchange): Promise<boolean> {
    if (path !== root && !path.startsWith(`${root}/`)) return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "The explorer is read with GET or HEAD.", [
        "allow",
        "GET, HEAD",
      ]);
    }
    const name = path.slice(root.length + 1) || "index.html";
    if (name === "settings.json") {
      const text = JSON.stringify(this.#settings(request));
      send(response, "application/json; charset=utf-8", "no-store", Buffer.from(text));
      return true;
    }
    const file = this.#files.get(name);
    if (file !== undefined) {
      const type = contentTypes[extname(file)] ?? "application/octet-stream";
      // The names of assets change with their content.
      const caching = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-store";
      send(response, type, caching, await readFile(file));
    } else if (name === "index.html") {
      send(response, "text/html; charset=utf-8", "no-store", Buffer.from(notBuilt), 503);
    } else {
      throw new HttpRefusal("NOT_FOUND", `There is nothing at this path. The explorer is ${root}.`);
    }
    return true;
  }

  #settings(request: IncomingMessage): ExplorerSettings {
    const { endpointPath, operations, developmentKey } = this.options;
    const headers: Record<string, string> = {};
    if (developmentKey !== undefined && isLocalRequest(request)) headers["x-api-key"] = developmentKey;
    return { endpoint: endpointPath, operations, headers };
  }
}

function filesOf(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return files;
    throw error;
  }
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const name = file.slice(join(directory, sep).length).replaceAll(sep, "/");
    files.set(name, file);
  }
  return files;
}

function send(response: ServerResponse, type: string, caching: string, body: Buffer, status = 200): void {
  response.setHeader("content-type", type);
  response.setHeader("content-length", body.byteLength);
  response.setHeader("cache-control", caching);
  response.setHeader("content-security-policy", contentSecurityPolicy);
  response.setHeader("cross-origin-resource-policy", "same-origin");
  response.writeHead(status);
  response.end(body);
}
