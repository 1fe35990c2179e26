/** The emulator's own certificate authority, and a certificate for this machine's loopback names. */
import { constants, generateKeyPairSync, privateEncrypt, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import type Forge from "node-forge";

/** PEM texts. */
export interface Certificates {
  /** What clients must trust. */
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

/** How long certificates are valid, and from when. */
interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const yearMs = 365 * 24 * 60 * 60 * 1_000;

/**
 * New certificates, valid for a year unless told otherwise. The library is loaded only by emulators that serve https.
 * @param host a name or address that the certificate covers beside `localhost` and `127.0.0.1`
 */
export async function makeCertificates(
  host: string,
  validity: Validity = { notBefore: new Date(), notAfter: new Date(Date.now() + yearMs) },
): Promise<Certificates> {
  const { default: forge } = (await import("node-forge")) as { default: typeof Forge };
  const authorityName = [{ name: "commonName", value: "ACS Identity emulator CA" }];
  const authority = keyPair(forge);
  const server = keyPair(forge);
  const make = (
    keys: KeyPair,
    subject: Forge.pki.CertificateField[],
    issuer: Forge.pki.CertificateField[],
    extensions: object[],
  ): string => {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = keys.publicKey;
    // A positive number, as X.509 demands.
    certificate.serialNumber = `00${randomBytes(16).toString("hex")}`;
    certificate.validity.notBefore = validity.notBefore;
    certificate.validity.notAfter = validity.notAfter;
    certificate.setSubject(subject);
    certificate.setIssuer(issuer);
    certificate.setExtensions(extensions);
    certificate.sign(signer(authority.pem), forge.md.sha256.create());
    return forge.pki.certificateToPem(certificate);
  };
  const ca = make(authority, authorityName, authorityName, [
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    { name: "subjectKeyIdentifier" },
  ]);
  const cert = make(server, [{ name: "commonName", value: "localhost" }], authorityName, [
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: true },
    {
      name: "subjectAltName",
      altNames: [
        { type: 2, value: "localhost" },
        { type: 7, ip: "127.0.0.1" },
        ...(host === "127.0.0.1" || host === "localhost" ? [] : [altNameOf(host)]),
      ],
    },
  ]);
  return { ca, key: server.pem, cert };
}

interface KeyPair {
  readonly pem: string;
  readonly publicKey: Forge.pki.rsa.PublicKey;
}

function keyPair({ pki }: typeof Forge): KeyPair {
  const { privateKey: pem, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  return { pem, publicKey: pki.publicKeyFromPem(publicKey) };
}

/** What stands before a SHA-256 digest that is signed (RFC 8017 §9.2, note 1). */
const sha256Info = Buffer.from("3031300d060960864801650304020105000420", "hex");

/** Node signs: the library does it in JavaScript, which takes seconds under Jest. */
function signer(pem: string): Forge.pki.rsa.PrivateKey {
  const sign = (digest: Forge.md.MessageDigest): string =>
    privateEncrypt(
      { key: pem, padding: constants.RSA_PKCS1_PADDING },
      Buffer.concat([sha256Info, Buffer.from(digest.digest().getBytes(), "binary")]),
    ).toString("binary");
  return { sign } as unknown as Forge.pki.rsa.PrivateKey;
}

function altNameOf(host: string) {
  return isIP(host) ? { type: 7, ip: host } : { type: 2, value: host };
}
