/** Asks an issuer for its keys once, as the gateway does, and tells what came instead of what to do about it. */
import { createPublicKey } from "node:crypto";
import type { Clock } from "../clock";
import { reasonOf } from "../redis/reason-of";
import { isSafeUrl, signatureAlgorithms, type OidcIssuer, type SignatureAlgorithm } from "./oidc-issuer";

/** What came of it. */
export interface IssuerSight {
  /** Where it failed; undefined when there are keys. */
  readonly failed:
    | {
        readonly at: "discovery" | "jwks";
        /** The document that was asked for. */
        readonly url: string;
        /** An HTTP status, a socket's code, or `NOT_JSON`, `OTHER_ISSUER`, `NO_JWKS_URI`, `NO_KEYS`, `TIMEOUT`. */
        readonly reason: string;
      }
    | undefined;
  readonly keys: number;
  /** Which of the algorithms that the gateway accepts from this issuer its keys can make. */
  readonly algorithms: readonly SignatureAlgorithm[];
  /** How far its clock (the `Date` of its answer) is ahead of this machine's, in milliseconds. */
  readonly skewMs: number | undefined;
}

class Failure extends Error {
  constructor(
    readonly at: "discovery" | "jwks",
    readonly url: string,
    readonly reason: string,
  ) {
    super(reason);
  }
}

/** Asks. Never rejects. */
export async function probeIssuer(
  issuer: Pick<OidcIssuer, "issuer" | "jwksUri" | "algorithms">,
  clock: Clock,
  signal: AbortSignal,
): Promise<IssuerSight> {
  let skewMs: number | undefined;
  const ask = async (at: Failure["at"], url: string): Promise<Record<string, unknown>> => {
    const [sentAt, began] = [clock.now(), performance.now()];
    let text: string;
    try {
      const answer = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
      const date = Date.parse(answer.headers.get("date") ?? "");
      if (Number.isFinite(date)) skewMs = date + 500 - sentAt - (performance.now() - began) / 2;
      if (!answer.ok) throw new Failure(at, url, String(answer.status));
      text = await answer.text();
    } catch (error) {
      if (error instanceof Failure) throw error;
      const reason = signal.aborted ? "TIMEOUT" : reasonOf((error as { cause?: unknown }).cause ?? error);
      throw new Failure(at, url, reason);
    }
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    } catch {
      // Told below.
    }
    throw new Failure(at, url, "NOT_JSON");
  };
  try {
    const jwksUri = issuer.jwksUri ?? (await discover(issuer.issuer, ask));
    const { keys } = await ask("jwks", jwksUri);
    const usable = Array.isArray(keys) ? keys.filter(isKey) : [];
    if (usable.length === 0) throw new Failure("jwks", jwksUri, "NO_KEYS");
    const made = new Set(usable.flatMap(algorithmsOf));
    const algorithms = issuer.algorithms.filter((algorithm) => made.has(algorithm));
    return { failed: undefined, keys: usable.length, algorithms, skewMs };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { at, url, reason } = error;
    return { failed: { at, url, reason }, keys: 0, algorithms: [], skewMs };
  }
}

async function discover(
  issuer: string,
  ask: (at: "discovery", url: string) => Promise<Record<string, unknown>>,
): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const document = await ask("discovery", url);
  if (document.issuer !== issuer) throw new Failure("discovery", url, "OTHER_ISSUER");
  const { jwks_uri: uri } = document;
  if (typeof uri !== "string" || !isSafeUrl(uri)) throw new Failure("discovery", url, "NO_JWKS_URI");
  return uri;
}

interface Jwk {
  readonly kty: string;
  readonly alg?: unknown;
  readonly crv?: unknown;
  readonly use?: unknown;
}

/** A public key that Node can read, and that is not for encryption (RFC 7517, section 4.2). */
function isKey(key: unknown): key is Jwk {
  if (typeof key !== "object" || key === null || !("kty" in key)) return false;
  if ((key as Jwk).use !== undefined && (key as Jwk).use !== "sig") return false;
  try {
    createPublicKey({ key: key as never, format: "jwk" });
    return true;
  } catch {
    return false;
  }
}

/** RFC 7518, section 3.4; RFC 8037, section 3.1. */
const ellipticCurves = new Map<unknown, SignatureAlgorithm>([
  ["P-256", "ES256"],
  ["P-384", "ES384"],
  ["P-521", "ES512"],
  ["Ed25519", "EdDSA"],
]);

function algorithmsOf({ kty, alg, crv }: Jwk): readonly SignatureAlgorithm[] {
  const ofCurve = ellipticCurves.get(crv);
  const possible =
    kty === "RSA" ? signatureAlgorithms.filter((each) => /^[RP]S/.test(each)) : ofCurve ? [ofCurve] : [];
  return alg === undefined ? possible : possible.filter((each) => each === alg);
}
