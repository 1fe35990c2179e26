/** An issuer of access tokens on this machine, and tokens of every kind that must not be believed. */
import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type JWTHeaderParameters, type JWTPayload } from "jose";

export interface FuzzIssuer extends AsyncDisposable {
  /** For `OIDC_ISSUERS`. */
  readonly setting: string;
  /** A token of a user whose identity this is, good for a day. */
  tokenOf(identityId: string): Promise<string>;
  /** Tokens that claim this identity, and are wrong in one respect each. */
  forgeries(identityId: string): Promise<readonly string[]>;
}

const audience = "api://fuzz";
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Starts it on a free loopback port. */
export async function startFuzzIssuer(): Promise<FuzzIssuer> {
  const own = await generateKeyPair("RS256", { extractable: true });
  const foreign = await generateKeyPair("RS256", { extractable: true });
  const publicJwk = { ...(await exportJWK(own.publicKey)), kid: "k1", use: "sig", alg: "RS256" };
  const server = createServer((request, response) => {
    const isKeys = request.url === "/keys";
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(isKeys ? { keys: [publicJwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const now = () => Math.floor(Date.now() / 1_000);
  const claimsOf = (acs: string): JWTPayload => {
    return { iss: issuer, aud: audience, sub: "somebody", acs, iat: now(), exp: now() + 86_400 };
  };
  const header: JWTHeaderParameters = { alg: "RS256", kid: "k1", typ: "at+jwt" };
  const signed = (claims: JWTPayload, head = header, key = own.privateKey) =>
    new SignJWT(claims).setProtectedHeader(head).sign(key);
  return {
    setting: `${issuer} audience=${audience} identity-claim=acs`,
    tokenOf: (identityId) => signed(claimsOf(identityId)),
    forgeries: async (identityId) => {
      const claims = claimsOf(identityId);
      const pem = createPublicKey({ key: publicJwk as JsonWebKey, format: "jwk" });
      const secrets = [
        pem.export({ type: "spki", format: "pem" }),
        pem.export({ type: "pkcs1", format: "pem" }),
        pem.export({ type: "spki", format: "der" }),
        JSON.stringify(publicJwk),
        "",
      ];
      const confused = secrets.map((secret) => {
        const text = `${encode({ ...header, alg: "HS256" })}.${encode(claims)}`;
        return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
      });
      const good = await signed(claims);
      const [, body = "", signature = ""] = good.split(".");
      const unsigned = ["none", "None", "NONE", "nOnE", "", null, 1, ["RS256"]].flatMap((alg) => {
        const head = encode({ ...header, alg });
        return [`${head}.${body}.`, `${head}.${body}`, `${head}.${body}.${signature}`];
      });
      const embedded = { ...(await exportJWK(foreign.publicKey)), kid: "k1" };
      return [
        ...confused,
        ...unsigned,
        await signed({ ...claims, exp: now() - 3_600 }),
        await signed({ ...claims, nbf: now() + 3_600 }),
        await signed({ ...claims, aud: "api://another" }),
        await signed({ ...claims, iss: `${issuer}/` }),
        await signed({ ...claims, iss: "https://issuer.example" }),
        await signed(claims, { ...header, typ: "id_token+jwt" }),
        await signed(claims, { ...header, kid: "unknown" }, foreign.privateKey),
        await signed(claims, header, foreign.privateKey),
        await signed(claims, { ...header, jwk: embedded }, foreign.privateKey),
        await signed(claims, { ...header, jku: `${issuer}/foreign` }, foreign.privateKey),
        `${encode({ ...header, crit: ["b64"], b64: false })}.${body}.${signature}`,
        `${encode({ ...header, kid: "../../../../dev/null" })}.${body}.${signature}`,
        `${encode({ ...header, zip: "DEF" })}.${body}.${signature}`,
        `${encode(header)}.${encode({ ...claims, acs: `${identityId}x` })}.${signature}`,
        `${encode(header)}.${encode({ ...claims, padding: "x".repeat(6_000) })}.${signature}`,
        `${encode(header)}.${encode("__proto__")}.${signature}`,
        `${encode({ __proto__: null, ...header })}.${encode([])}.`,
        `${good}.${good}`,
        good.replace(".", ".."),
        good.slice(1),
      ];
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
