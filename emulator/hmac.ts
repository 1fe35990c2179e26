/** Verifies the HMAC-SHA256 signature that ACS SDKs put on each request. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { denied } from "./rest-error";

/** What is signed, as it arrived: nothing decoded. */
export interface SignedRequest {
  readonly method: string;
  /** The raw request target, with its query string. */
  readonly target: string;
  /** The raw Host header, with its port. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The header and value to sign a request with; for the audits and for tests. */
export function sign(
  request: Omit<SignedRequest, "headers">,
  key: string,
  date: string,
): Record<string, string> {
  const contentHash = createHash("sha256").update(request.body).digest("base64");
  const signature = signatureOf(request, `${date};${request.host};${contentHash}`, key);
  return {
    "x-ms-date": date,
    "x-ms-content-sha256": contentHash,
    authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
  };
}

/**
 * The key out of `keys` that signed the request. SDKs before mid-2021 signed `date` instead of `x-ms-date`; both are
 * accepted. Throws 401 `Denied` for everything else: wrong key, other body, other path, date off by more than `skewMs`.
 */
export function verify<K extends { readonly secret: string }>(
  request: SignedRequest,
  keys: readonly K[],
  nowMs: number,
  skewMs: number,
): K {
  const header = one(request.headers.authorization);
  const [, names, signature] =
    /^HMAC-SHA256 SignedHeaders=([\w;-]+)&Signature=([A-Za-z0-9+/]+=*)$/.exec(header) ?? [];
  const dateName = names === "date;host;x-ms-content-sha256" ? "date" : "x-ms-date";
  if (!signature || (dateName === "x-ms-date" && names !== "x-ms-date;host;x-ms-content-sha256"))
    throw denied();
  const date = one(request.headers[dateName]);
  const at = Date.parse(date);
  if (Number.isNaN(at) || Math.abs(nowMs - at) > skewMs) throw denied();
  const contentHash = createHash("sha256").update(request.body).digest("base64");
  if (!equal(one(request.headers["x-ms-content-sha256"]), contentHash)) throw denied();
  let found: K | undefined;
  for (const key of keys) {
    if (equal(signature, signatureOf(request, `${date};${request.host};${contentHash}`, key.secret)))
      found = key;
  }
  if (!found) throw denied();
  return found;
}

function signatureOf(
  request: { method: string; target: string },
  signedHeaders: string,
  key: string,
): string {
  return createHmac("sha256", Buffer.from(key, "base64"))
    .update(`${request.method}\n${request.target}\n${signedHeaders}`)
    .digest("base64");
}

function equal(given: string, right: string): boolean {
  const [a, b] = [given, right].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

function one(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : "";
}
