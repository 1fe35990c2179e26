/** The certificate and the private key that the server serves TLS with, read from files and again when they change. */
import { constants, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { reasonOf } from "../services/redis/reason-of";
import type { Events } from "../services/telemetry/events";
import { WatchedFile, type Meaning, type WatchOptions } from "../services/watched-file";
import { StartupError } from "../startup-error";

/** Where the pair is; absolute paths. */
export interface TlsFiles {
  /** The certificate chain, the server's own first (PEM). */
  readonly certFile: string;
  /** Its private key, without a passphrase (PEM). */
  readonly keyFile: string;
}

/** A certificate and its key that fit together (PEM). */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** What is told of the files. */
export type TlsEvents = Pick<Events, "tlsChanged" | "tlsRejected">;

/** The files do not make a pair to serve with. The message is for the operator. */
export class TlsUnusable extends StartupError {
  override readonly name = "TlsUnusable";
}

/**
 * TLS 1.3's own, and of TLS 1.2 what RFC 9325 recommends: with forward secrecy, so that a key which gets lost one day
 * does not open the tokens of before.
 */
const ciphers = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  ...["ECDSA", "RSA"].flatMap((kind) => [
    `ECDHE-${kind}-AES128-GCM-SHA256`,
    `ECDHE-${kind}-AES256-GCM-SHA384`,
    `ECDHE-${kind}-CHACHA20-POLY1305`,
  ]),
].join(":");

/** What the server accepts, with this pair. TLS 1.0 and 1.1 are deprecated (RFC 8996). */
export function secureContextOf({ cert, key }: TlsPair): SecureContextOptions {
  // A client that renegotiates has the server work for nothing.
  return { cert, key, minVersion: "TLSv1.2", ciphers, secureOptions: constants.SSL_OP_NO_RENEGOTIATION };
}

/** Reads the pair at start. Throws {@link TlsUnusable}. */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): TlsPair {
  const cert = textOf(certFile);
  const meaning = cert.problem === undefined ? pairOf(cert.value, keyFile) : cert;
  if (meaning.problem !== undefined) throw new TlsUnusable(`TLS_CERT_FILE ${meaning.problem}.`);
  return meaning.value;
}

/** The pair in force. Both files are read in one go, so that a pair that is swapped as one is never seen half. */
export class WatchedTlsFiles extends WatchedFile<TlsPair> {
  /** `pair` is what the files had at start; `use` has the server serve with another. */
  constructor(
    pair: TlsPair,
    { certFile, keyFile }: TlsFiles,
    events: TlsEvents,
    use: (pair: TlsPair) => void,
    options: Pick<WatchOptions<unknown>, "intervalMs" | "signals"> = {},
  ) {
    super(pair, {
      ...options,
      path: certFile,
      parse: (cert) => pairOf(cert, keyFile),
      onChange: (changed) => {
        use(changed);
        const { fingerprint256: fingerprint, validTo } = new X509Certificate(changed.cert);
        events.tlsChanged({ fingerprint, validTo: new Date(validTo).toISOString() });
      },
      onRejected: (problem) => {
        events.tlsRejected(`TLS_CERT_FILE ${problem}`);
      },
    });
  }
}

/** Problems read on from `TLS_CERT_FILE`. */
function pairOf(cert: string, keyFile: string): Meaning<TlsPair> {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
    createSecureContext({ cert });
  } catch {
    return { problem: "names a file that has no certificate chain in PEM form" };
  }
  const key = textOf(keyFile);
  if (key.problem !== undefined) return { problem: `has a certificate, but TLS_KEY_FILE ${key.problem}` };
  const pair = { cert, key: key.value };
  try {
    if (pair.key.trim() === "") throw new Error("It is empty.");
    createSecureContext(secureContextOf(pair));
  } catch (error) {
    return reasonOf(error).includes("MISMATCH")
      ? { problem: `and TLS_KEY_FILE do not fit together: the key is not that of ${certificate.subject}` }
      : {
          problem: "has a certificate, but TLS_KEY_FILE has no private key in PEM form without a passphrase",
        };
  }
  return { value: pair };
}

function textOf(path: string): Meaning<string> {
  try {
    return { value: readFileSync(path, "utf8") };
  } catch (error) {
    return { problem: `names a file that cannot be read (${reasonOf(error)})` };
  }
}
