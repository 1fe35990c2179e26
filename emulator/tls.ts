/** A certificate authority of the emulator's own, and a certificate for this machine's loopback names. */
import { isIP } from "node:net";
import type { generate } from "selfsigned";

/** PEM texts. */
export interface Certificates {
  /** What clients must trust. */
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

/** New certificates, good for a year from now. The library is loaded only by emulators that serve https. */
export async function makeCertificates(host: string): Promise<Certificates> {
  const { generate: make } = (await import("selfsigned")) as { generate: typeof generate };
  const authority = await make([{ name: "commonName", value: "ACS Identity emulator CA" }], {
    keySize: 2048,
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await make([{ name: "commonName", value: "localhost" }], {
    keySize: 2048,
    algorithm: "sha256",
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
          ...(host === "127.0.0.1" || host === "localhost" ? [] : [nameOf(host)]),
        ],
      },
    ],
  });
  return { ca: authority.cert, key: server.private, cert: server.cert };
}

function nameOf(host: string) {
  return isIP(host) ? ({ type: 7, ip: host } as const) : ({ type: 2, value: host } as const);
}
