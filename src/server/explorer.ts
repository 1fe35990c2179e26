/** Serves the self-hosted GraphQL explorer under /explorer: the files of its build, and the settings it starts with. */
import { HttpRefusal } from "./http-refusal";
import type { Page, PageExchange } from "./page";
import { notBuilt, StaticFiles } from "./static-files";

/** What the explorer shows and where it is found. */
export interface ExplorerOptions {
  /** The directory of the built page. It need not exist: then a page says how to build it. */
  readonly directory: string;
  /** The path of the GraphQL endpoint, for example `/graphql`. */
  readonly endpointPath: string;
  /** The GraphQL document to begin with. */
  readonly operations: string;
}

/** What the page reads from /explorer/settings.json. Anybody may: no credential is in it. */
interface ExplorerSettings {
  /** The path of the GraphQL endpoint. */
  readonly endpoint: string;
  /** The GraphQL document to begin with. */
  readonly operations: string;
}

const root = "/explorer";

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

/** The explorer's page. */
export class Explorer implements Page {
  readonly #files: StaticFiles;

  constructor(private readonly options: ExplorerOptions) {
    this.#files = new StaticFiles(options.directory, contentSecurityPolicy);
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
      const { endpointPath: endpoint, operations } = this.options;
      const settings: ExplorerSettings = { endpoint, operations };
      this.#files.sendText(response, "application/json; charset=utf-8", JSON.stringify(settings));
    } else if (!(await this.#files.send(response, name))) {
      if (name !== "index.html") {
        throw new HttpRefusal("NOT_FOUND", `There is nothing at this path. The explorer is ${root}.`);
      }
      const text = notBuilt("The explorer");
      this.#files.sendText(response, "text/html; charset=utf-8", text, { status: 503 });
    }
    return true;
  }
}
