/** Bearer access token → Caller: verifies JWTs of trusted issuers (RFC 7519, RFC 8725, RFC 9068), each once in its life. */
import { hash } from "node:crypto";
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JSONWebKeySet,
} from "jose";
import type { LRUCache } from "lru-cache";
import { GatewayError } from "../../errors";
import { boundedCache } from "../bounded-cache";
import type { Clock } from "../clock";
import type { Events } from "../telemetry/events";
import type { Caller } from "./caller";
import { IssuerKeys, KeysUnavailable, type KeysState, type KeyTimings } from "./issuer-keys";
import type { OidcIssuer } from "./oidc-issuer";
import { notValid, parseToken, toCaller, typeOf, type TokenParts } from "./token-claims";

type KeySet = ReturnType<typeof createLocalJWKSet>;

interface Trusted {
  readonly policy: OidcIssuer;
  readonly keys: IssuerKeys<KeySet>;
}

interface Verified {
  readonly caller: Caller;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly trusted: Trusted;
  /** Of the keys that it was verified with. */
  readonly generation: number;
}

/** Knows the callers of the configured issuers by their access tokens. */
export class OidcAuthenticator {
  private readonly byIssuer = new Map<string, Trusted[]>();
  private readonly verified: LRUCache<string, Verified>;

  constructor(
    issuers: readonly OidcIssuer[],
    private readonly clock: Clock,
    events: Pick<Events, "issuerKeysChanged" | "issuerUnavailable">,
    { maxCached = 10_000, timings }: { readonly maxCached?: number; readonly timings?: KeyTimings } = {},
  ) {
    this.verified = boundedCache(maxCached);
    const keySets = new Map<string, IssuerKeys<KeySet>>();
    for (const policy of issuers) {
      const source = policy.jwksUri ?? policy.issuer;
      const make = (jwks: { readonly keys: readonly object[] }) => createLocalJWKSet(jwks as JSONWebKeySet);
      const keys = keySets.get(source) ?? new IssuerKeys<KeySet>(policy, make, clock, events, timings);
      keySets.set(source, keys);
      this.byIssuer.set(policy.issuer, [...(this.byIssuer.get(policy.issuer) ?? []), { policy, keys }]);
    }
  }

  /** How the issuers' keys are, those that are worst off first. */
  get keysState(): KeysState {
    const states = [...this.byIssuer.values()].flat().map(({ keys }) => keys.state);
    return (
      states.find((state) => state === "unavailable") ?? states.find((state) => state === "stale") ?? "ok"
    );
  }

  /** The caller whose token this is, if it was verified before: costs one hash. Throws `UNAUTHENTICATED`. */
  known(token: string): Caller | undefined {
    const digest = digestOf(token);
    const known = this.verified.get(digest);
    if (!known) return undefined;
    if (known.expiresAt <= this.clock.now()) {
      this.verified.delete(digest);
      throw notValid("it has expired");
    }
    const { keys } = known.trusted;
    // A key that its issuer has removed since verifies nothing more, however long nobody has asked.
    if (known.generation !== keys.generation || keys.mustRefresh) return undefined;
    keys.refreshIfOld();
    return known.caller;
  }

  /**
   * The caller whose token this is. Throws or rejects with `UNAUTHENTICATED`, or with `ISSUER_UNAVAILABLE` when the
   * issuer's keys cannot be had.
   */
  authenticate(token: string): Caller | Promise<Caller> {
    return this.known(token) ?? this.verify(token, digestOf(token));
  }

  private async verify(token: string, digest: string): Promise<Caller> {
    const parts = parseToken(decoded(token));
    const trusted = this.trustedFor(parts);
    const generation = await this.checkSignature(token, trusted);
    const expiresAt = (parts.claims.exp + trusted.policy.clockToleranceSeconds) * 1000;
    const caller = toCaller(parts, trusted.policy, expiresAt);
    this.verified.set(digest, { caller, expiresAt, trusted, generation });
    return caller;
  }

  /** The issuer that the token names, and what is expected of its tokens. Nothing of the token is believed yet. */
  private trustedFor({ header, claims }: TokenParts): Trusted {
    const candidates = this.byIssuer.get(claims.iss ?? "");
    if (!candidates) throw notValid("its issuer is not trusted here");
    const audiences = [claims.aud ?? []].flat();
    const trusted = candidates.find(({ policy }) =>
      policy.audiences.some((each) => audiences.includes(each)),
    );
    if (!trusted) throw notValid("it is meant for another audience");
    const algorithms: readonly string[] = trusted.policy.algorithms;
    // RFC 9864 has made names of its own for EdDSA's curves; Ed25519 is the one that is meant.
    if (!algorithms.includes(header.alg === "Ed25519" ? "EdDSA" : header.alg)) {
      throw notValid("its algorithm is not accepted");
    }
    const types: readonly string[] = trusted.policy.types;
    if (!types.includes(typeOf(header))) throw notValid("its typ is not that of an access token");
    return trusted;
  }

  /** The generation of the keys that the token is verified with. */
  private async checkSignature(token: string, { policy, keys }: Trusted): Promise<number> {
    const verify = async (keySet: KeySet) => {
      const { generation } = keys;
      const algorithms = policy.algorithms.flatMap((name) => (name === "EdDSA" ? [name, "Ed25519"] : name));
      await jwtVerify(token, keySet, {
        algorithms,
        issuer: policy.issuer,
        audience: [...policy.audiences],
        clockTolerance: policy.clockToleranceSeconds,
        currentDate: new Date(this.clock.now()),
        requiredClaims: ["exp"],
      });
      return generation;
    };
    try {
      const keySet = await keys.current();
      try {
        return await verify(keySet);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const renewed = await keys.renewed();
        if (!renewed) throw error;
        return await verify(renewed);
      }
    } catch (error) {
      throw refusal(error);
    }
  }
}

function digestOf(token: string): string {
  return hash("sha256", token, "base64");
}

function decoded(token: string): { readonly header: unknown; readonly claims: unknown } {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    throw notValid("it is no signed JSON Web Token");
  }
}

function refusal(error: unknown): unknown {
  if (error instanceof KeysUnavailable) {
    return new GatewayError(
      "ISSUER_UNAVAILABLE",
      "The issuer of the access token does not answer, so the token cannot be verified. Try again.",
      { retryAfterSeconds: 5 },
    );
  }
  if (error instanceof errors.JWTExpired) return notValid("it has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return notValid(
      error.claim === "nbf" ? "it is not valid yet" : `its claim ${error.claim} is not as expected`,
    );
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return notValid("its issuer has no such key");
  }
  // Anything else that the library finds is about the token; anything else at all is a fault of ours.
  if (error instanceof errors.JOSEError) return notValid("its signature is not valid");
  return error instanceof TypeError || isKeyProblem(error) ? notValid("its signature is not valid") : error;
}

/** A key of the issuer that does not fit the algorithm that the token names makes WebCrypto throw. */
function isKeyProblem(error: unknown): boolean {
  return (
    error instanceof Error && ["DataError", "NotSupportedError", "InvalidAccessError"].includes(error.name)
  );
}
