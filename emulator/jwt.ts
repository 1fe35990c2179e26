/** RS256 JSON Web Tokens with a key of this process's own (RFC 7515, RFC 7519). */
import { createHash, createPublicKey, generateKeyPair, sign, verify, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

/** Signs and verifies; `jwks` is what others verify with. */
export class JwtKey {
  readonly kid: string;
  readonly jwk: Readonly<Record<string, unknown>>;
  private readonly publicKey: KeyObject;

  constructor(private readonly privateKey: KeyObject) {
    this.publicKey = createPublicKey(privateKey);
    const spki = this.publicKey.export({ type: "spki", format: "der" });
    // ACS writes its certificate's SHA-1 thumbprint; without a certificate, that of the key.
    this.kid = createHash("sha1").update(spki).digest("hex").toUpperCase();
    this.jwk = { ...this.publicKey.export({ format: "jwk" }), kid: this.kid, use: "sig", alg: "RS256" };
  }

  /** A new 2048-bit key. */
  static async generate(): Promise<JwtKey> {
    const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
    return new JwtKey(privateKey);
  }

  /** PEM, to be kept in a state file. */
  export(): string {
    return this.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  }

  /** Signs off the main thread: a signature takes about a millisecond. */
  async sign(claims: object): Promise<string> {
    const x5t = Buffer.from(this.kid, "hex").toString("base64url");
    const header = { alg: "RS256", kid: this.kid, x5t, typ: "JWT" };
    const text = `${encode(header)}.${encode(claims)}`;
    const signature = await new Promise<Buffer>((resolve, reject) => {
      sign("sha256", Buffer.from(text), this.privateKey, (error, value) => {
        if (error) reject(error);
        else resolve(value);
      });
    });
    return `${text}.${signature.toString("base64url")}`;
  }

  /** The claims of a token that this key signed, whether expired or not; undefined for any other text. */
  verify(token: string): Record<string, unknown> | undefined {
    const [header, claims, signature, more] = token.split(".");
    if (header === undefined || claims === undefined || signature === undefined || more !== undefined)
      return undefined;
    const right = verify(
      "sha256",
      Buffer.from(`${header}.${claims}`),
      this.publicKey,
      Buffer.from(signature, "base64url"),
    );
    if (!right || (decode(header) as { alg?: unknown } | undefined)?.alg !== "RS256") return undefined;
    return decode(claims) as Record<string, unknown> | undefined;
  }
}

/** The key of this process, made once: each emulator of a test run would else spend a tenth of a second on one. */
export const processKey: () => Promise<JwtKey> = (() => {
  let key: Promise<JwtKey> | undefined;
  return () => (key ??= JwtKey.generate());
})();

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined;
  }
}
