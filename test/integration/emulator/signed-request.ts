/** Sends a request byte for byte as it is given, with a right signature unless the caller spoils it. */
import { request as httpRequest } from "node:http";
import { sign } from "../../../emulator/hmac";

export interface Wanted {
  readonly method?: string;
  /** The raw request target. */
  readonly target?: string;
  readonly body?: string;
  /** The Host header; default the emulator's own. */
  readonly host?: string;
  /** Base64; default none: the signature is left out. */
  readonly key?: string;
  readonly date?: Date;
  /** What is sent after signing; undefined removes a header. */
  readonly change?: (signed: Record<string, string>) => Record<string, string | undefined>;
  /** What is signed where it differs from what is sent. */
  readonly signed?: { readonly target?: string; readonly body?: string; readonly host?: string };
}

export interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Names and values in turn, as they were written. */
  readonly rawHeaders: readonly string[];
  readonly text: string;
  readonly error: { readonly code?: string; readonly message?: string; readonly target?: string };
}

/** Sends to `url` over plain http. Rejects when the connection breaks. */
export function send(url: string, wanted: Wanted): Promise<Raw> {
  const { hostname, port, host: own } = new URL(url);
  const { method = "POST", target = "/identities?api-version=2023-10-01", body = "", host = own } = wanted;
  const signed =
    wanted.key === undefined
      ? {}
      : sign(
          {
            method,
            target: wanted.signed?.target ?? target,
            host: wanted.signed?.host ?? host,
            body: Buffer.from(wanted.signed?.body ?? body),
          },
          wanted.key,
          (wanted.date ?? new Date()).toUTCString(),
        );
  const all: Record<string, string | undefined> = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...(wanted.change?.(signed) ?? signed),
    host,
  };
  const headers = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, method, path: target, headers, agent: false });
    request.on("error", reject).on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject).on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status = 0, headers, rawHeaders } = response;
        const { error = {} } = (text.startsWith("{") ? JSON.parse(text) : {}) as { error?: Raw["error"] };
        resolve({ status, headers, rawHeaders, text, error });
      });
    });
    request.end(body);
  });
}

/** The access key in a connection string. */
export function keyOf(connectionString: string): string {
  return connectionString.slice(connectionString.indexOf("accesskey=") + "accesskey=".length);
}
