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

/** Sends signed requests to one resource. */
export class AuditClient {
  private readonly endpoint: string;
  private readonly key: string;

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
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  /** A new identity's id. */
  async createIdentity(): Promise<string> {
    const { json } = await this.send({ path: "/identities" });
    return String((json?.identity as { id?: unknown } | undefined)?.id);
  }

  /** Calls `use` with a new identity, and deletes it afterwards whatever happens. */
  async withIdentity(use: (id: string, path: string) => Promise<void>): Promise<void> {
    const id = await this.createIdentity();
    const path = `/identities/${encodeURIComponent(id)}`;
    try {
      await use(id, path);
    } finally {
      await this.send({ method: "DELETE", path });
    }
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
