/** An issuer of access tokens: one ES256 key, its JWKS over HTTP, no login. */
import { generateKeyPairSync, sign } from "node:crypto";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:http";

/** Whom its tokens are for. */
export const audience = "acs-token-gateway";
/** The claim that names a user's ACS identity. */
export const identityClaim = "acs_identity";

const day = 24 * 3600;

/** Starts it on a free loopback port. */
export async function startIssuer() {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "bench", alg: "ES256", use: "sig" };
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [jwk] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const header = encode({ alg: "ES256", kid: "bench", typ: "at+jwt" });
  return {
    url,
    jwksUrl: `${url}/jwks`,
    /** An access token of a user whose ACS identity this is, good for a day. */
    token: (subject, identityId) => {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: url, aud: audience, sub: subject, iat: now, exp: now + day };
      const signed = `${header}.${encode({ ...claims, [identityClaim]: identityId })}`;
      const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
      return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
    },
    end: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
