/** Who is calling, by a bearer token: verified once with node:crypto, then known by its hash until it expires. */
import { Buffer } from "node:buffer";
import { createPublicKey, hash, verify } from "node:crypto";

/** Fetches the issuer's keys; returns a function that tells a token's claims, or undefined when it is not valid. */
export async function bearerCheck({ issuer, audience, jwksUrl }) {
  const { keys } = await (await fetch(jwksUrl)).json();
  const byId = new Map(keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: "jwk" })]));
  const verified = new Map();

  const claimsOf = (token) => {
    const [header, payload, signature] = token.split(".");
    if (signature === undefined) return undefined;
    const { alg, kid, typ } = parse(header);
    const key = byId.get(kid);
    if (alg !== "ES256" || typ !== "at+jwt" || !key) return undefined;
    const signed = Buffer.from(`${header}.${payload}`);
    const options = { key, dsaEncoding: "ieee-p1363" };
    if (!verify("sha256", signed, options, Buffer.from(signature, "base64url"))) return undefined;
    const claims = parse(payload);
    return claims.iss === issuer && claims.aud === audience ? claims : undefined;
  };

  return (authorization) => {
    if (authorization === undefined || !authorization.startsWith("Bearer ")) return undefined;
    const token = authorization.slice("Bearer ".length);
    const digest = hash("sha256", token, "base64");
    let claims = verified.get(digest);
    if (!claims) {
      claims = claimsOf(token);
      if (!claims) return undefined;
      verified.set(digest, claims);
    }
    return claims.exp * 1000 > Date.now() ? claims : undefined;
  };
}

/** What `bearerCheck` takes, from the gateway's own variable. */
export function issuerFrom(environment) {
  const [issuer, ...fields] = environment.OIDC_ISSUERS.split(" ");
  const {
    audience,
    jwks,
    "identity-claim": identityClaim,
  } = Object.fromEntries(fields.map((field) => field.split("=")));
  return { issuer, audience, jwksUrl: jwks, identityClaim };
}

function parse(part) {
  return JSON.parse(Buffer.from(part, "base64url").toString());
}
