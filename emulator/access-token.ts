/** ACS access tokens: real JWTs with ACS's claims, and how to tell what became of one. */
import { randomBytes } from "node:crypto";
import type { JwtKey } from "./jwt";

/** What a token says of itself beside ACS's claims, so that nobody needs to keep every token issued. */
interface TokenOrigin {
  /** Place in the order of everything that the emulator did. */
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** The access key that it was issued with, or `entra`. */
  readonly credential: string;
}

/** A token as it is issued. */
export interface NewToken {
  readonly identityId: string;
  readonly resourceId: string;
  readonly scopes: readonly string[];
  readonly lifetimeMs: number;
  readonly origin: TokenOrigin;
}

/** A token as ACS answers it. */
export interface IssuedToken {
  readonly token: string;
  /** ISO 8601 with 7 decimals and `+00:00`, as ACS writes it. */
  readonly expiresOn: string;
}

/**
 * Issues a token with the claims of ACS in ACS's order. ACS has neither `jti` nor anything random: the claim
 * `emulator` makes each token unlike any other, and recognizable as no real one.
 */
export async function issue(key: JwtKey, wanted: NewToken): Promise<IssuedToken> {
  const { issuedAt } = wanted.origin;
  const end = issuedAt + wanted.lifetimeMs;
  const iat = Math.floor(issuedAt / 1000);
  const token = await key.sign({
    skypeid: wanted.identityId.replace(/^8:/, ""),
    scp: 1792,
    csi: String(iat),
    exp: Math.floor(end / 1000),
    rgn: "amer",
    acsScope: wanted.scopes.join(","),
    resourceId: wanted.resourceId,
    resourceLocation: "emulator",
    iat,
    emulator: { ...wanted.origin, random: randomBytes(12).toString("base64url") },
  });
  return { token, expiresOn: new Date(end).toISOString().replace(/Z$/, "0000+00:00") };
}

/** What a token of this emulator says. */
export interface ReadToken {
  readonly identityId: string;
  readonly resourceId: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresOn: number;
  readonly origin: TokenOrigin;
}

/** Reads a token that {@link issue} made; undefined for any other text. */
export function read(key: JwtKey, token: string): ReadToken | undefined {
  const claims = key.verify(token);
  const origin = claims?.emulator as TokenOrigin | undefined;
  if (!claims || origin?.sequence === undefined) return undefined;
  return {
    identityId: `8:${String(claims.skypeid)}`,
    resourceId: String(claims.resourceId),
    scopes: String(claims.acsScope).split(","),
    expiresOn: Number(claims.exp) * 1000,
    origin,
  };
}
