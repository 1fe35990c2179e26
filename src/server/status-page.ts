/** Serves the status page under /status: the files of its build to anybody, the figures to those who may operate the gateway. */
import { HttpRefusal } from "./http-refusal";
import { isLocalRequest } from "./local-request";
import type { AdmitOperator, Page, PageExchange } from "./page";
import { notBuilt, StaticFiles } from "./static-files";

/** What the page may ask for. */
export interface StatusQuery {
  /** This gateway's figures, or those of all together. */
  readonly scope: "own" | "fleet";
  /** The last quarter of an hour, or the last hour. */
  readonly span: "short" | "long";
}

/** What the page shows and where it is found. */
export interface StatusPageOptions {
  /** The directory of the built page. It need not exist: then a page says how to build it. */
  readonly directory: string;
  /** Given to pages on this machine only. */
  readonly developmentKey: string | undefined;
  readonly admit: AdmitOperator;
  /** The figures, to be sent as JSON. */
  readonly status: (query: StatusQuery) => Promise<object>;
}

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

/** The status page and its data. */
export class StatusPage implements Page {
  readonly #files: StaticFiles;

  constructor(private readonly options: StatusPageOptions) {
    this.#files = new StaticFiles(options.directory, contentSecurityPolicy);
  }

  async handle(exchange: PageExchange): Promise<boolean> {
    const { request, response, path } = exchange;
    if (path !== root && !path.startsWith(`${root}/`)) return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "The status page is read with GET or HEAD.", [
        "allow",
        "GET, HEAD",
      ]);
    }
    const name = path.slice(root.length + 1) || "index.html";
    if (name === "data") {
      await this.options.admit(exchange);
      this.#sendJson(response, await this.options.status(queryOf(exchange.search)));
    } else if (name === "settings.json") {
      const { developmentKey } = this.options;
      const isGiven = developmentKey !== undefined && isLocalRequest(request);
      this.#sendJson(response, isGiven ? { apiKey: developmentKey } : {});
    } else if (!(await this.#files.send(response, name))) {
      if (name !== "index.html") {
        throw new HttpRefusal("NOT_FOUND", `There is nothing at this path. The status page is ${root}.`);
      }
      const text = notBuilt("The status page");
      this.#files.sendText(response, "text/html; charset=utf-8", text, { status: 503 });
    }
    return true;
  }

  #sendJson(response: PageExchange["response"], value: object): void {
    this.#files.sendText(response, "application/json; charset=utf-8", JSON.stringify(value));
  }
}

function queryOf(search: string): StatusQuery {
  const query = new URLSearchParams(search);
  return { scope: oneOf(query, "scope", ["fleet", "own"]), span: oneOf(query, "span", ["short", "long"]) };
}

function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly [T, ...T[]]): T {
  const given = query.get(name);
  if (given === null) return values[0];
  const known = values.find((value) => value === given);
  if (known === undefined) {
    throw new HttpRefusal("BAD_REQUEST", `\`${name}\` must be one of ${values.join(", ")}.`);
  }
  return known;
}
