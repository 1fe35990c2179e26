/** An issuer of access tokens that a test makes as it likes: real keys, a real JWKS over HTTP, no login. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from "jose";

export interface Issuer extends AsyncDisposable {
  /** What its tokens say. */
  readonly url: string;
  /** Where its keys are. */
  readonly jwksUrl: string;
  /** A token for this subject, good for an hour. */
  token(subject: string, claims?: JWTPayload): Promise<string>;
  /** Another key takes the place of the one before: its tokens are good no more. */
  rotate(): Promise<void>;
}

/** The audience of its tokens. */
export const audience = "acs-token-gateway";

/** Starts it on a free loopback port. */
export async function startIssuer(now: () => number = Date.now): Promise<Issuer> {
  const newKey = async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const kid = `key ${(count += 1)}`;
    const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
    return { kid, jwk, privateKey };
  };
  let count = 0;
  let key = await newKey();
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [key.jwk] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    jwksUrl: `${url}/jwks`,
    token: (subject, claims = {}) => {
      const seconds = Math.floor(now() / 1000);
      return new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid: key.kid, typ: "at+jwt" })
        .setIssuer(url)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + 3600)
        .sign(key.privateKey);
    },
    rotate: async () => {
      key = await newKey();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
