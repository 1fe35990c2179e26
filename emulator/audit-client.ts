/** A bare client of ACS Identity for the audits: fetch, and a signature that can be spoiled. */
import { randomUUID } from "node:crypto";
import { sign } from "./hmac";

/** An answer as it came. */
export interface AuditAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: Record<string, unknown> | undefined;
}

/** What of a request differs from a right one. */
export interface AuditRequest {
  readonly method?: string;
  readonly path: string;
  readonly body?: object;
  /** Default 2023-10-01; null sends none. */
  readonly apiVersion?: string | null;
  /** The date to sign; default now. */
  readonly date?: Date;
  /** The key to sign with, base64. */
  readonly key?: string;
  /** Sent instead of the body that was signed. */
  readonly sentBody?: string;
  /** Sent instead of the path that was signed. */
  readonly sentPath?: string;
  /** More headers, or others than the signature's. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A connection string that is none. The message does not repeat it: it may hold a key. */
export class ConnectionStringError extends Error {}

/** Longer than any answer of Azure's that was recorded; a check fails after it instead of waiting for ever. */
const deadlineMs = 30_000;

/** Sends signed requests to one resource. Disposing of it deletes the identities that it made, wanted or not. */
export class AuditClient implements AsyncDisposable {
  private readonly endpoint: string;
  private readonly key: string;
  /** The ids of identities made and not deleted yet. */
  private readonly left = new Set<string>();

  constructor(connectionString: string) {
    const [, endpoint, key] = /endpoint=(.*?)\/?;accesskey=([^;]*)/i.exec(connectionString) ?? [];
    if (!endpoint || !key)
      throw new ConnectionStringError("The connection string is not endpoint=…;accesskey=…");
    this.endpoint = endpoint;
    this.key = key;
  }

  async send(request: AuditRequest): Promise<AuditAnswer> {
    const { method = "POST", path, apiVersion = "2023-10-01", date = new Date(), key = this.key } = request;
    const query = apiVersion === null ? "" : `?api-version=${apiVersion}`;
    const body = request.body === undefined ? "" : JSON.stringify(request.body);
    const { host } = new URL(this.endpoint);
    const signed = sign(
      { method, target: path + query, host, body: Buffer.from(body) },
      key,
      date.toUTCString(),
    );
    const sent = request.sentBody ?? body;
    const response = await fetch(`${this.endpoint}${request.sentPath ?? path}${query}`, {
      method,
      headers: {
        "content-type": "application/json",
        "x-ms-client-request-id": randomUUID(),
        ...signed,
        ...request.headers,
      },
      ...(sent === "" ? {} : { body: sent }),
      signal: AbortSignal.timeout(deadlineMs),
    });
    const text = await response.text();
    const answer = { status: response.status, headers: response.headers, text, json: parsed(text) };
    this.remember(method, path, answer);
    return answer;
  }

  private remember(method: string, path: string, { status, json }: AuditAnswer): void {
    const id = (json?.identity as { id?: unknown } | undefined)?.id;
    if (method === "POST" && typeof id === "string") this.left.add(id);
    if (method === "DELETE" && status === 204)
      this.left.delete(decodeURIComponent(path.slice("/identities/".length)));
  }

  /** Tries each once: what a check found out is worth more than what is left when that fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    const paths = [...this.left].map((id) => `/identities/${encodeURIComponent(id)}`);
    await Promise.allSettled(paths.map((path) => this.send({ method: "DELETE", path })));
  }

  /** A new identity's id. */
  async createIdentity(): Promise<string> {
    const { status, json } = await this.send({ path: "/identities" });
    const id = (json?.identity as { id?: unknown } | undefined)?.id;
    if (typeof id !== "string") throw new Error(`no identity was created: status ${status}`);
    return id;
  }

  /** Calls `use` with a new identity and its path. */
  async withIdentity(use: (id: string, path: string) => Promise<void>): Promise<void> {
    const id = await this.createIdentity();
    await use(id, `/identities/${encodeURIComponent(id)}`);
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
