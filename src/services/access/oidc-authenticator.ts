/** Bearer access token → Caller: verifies JWTs of trusted issuers (RFC 7519, RFC 8725, RFC 9068), each once in its life. */
import { hash } from "node:crypto";
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JSONWebKeySet,
  type ProtectedHeaderParameters,
} from "jose";
import type { LRUCache } from "lru-cache";
import { GatewayError } from "../../errors";
import { boundedCache } from "../bounded-cache";
import type { Clock } from "../clock";
import { isIdentityId } from "../identities/identity-id";
import type { Events } from "../telemetry/events";
import type { Caller } from "./caller";
import { IssuerKeys, KeysUnavailable, type KeysState, type KeyTimings } from "./issuer-keys";
import type { OidcIssuer } from "./oidc-issuer";
import { withParts } from "./scope-policy";

/** How far the issuer's clock and ours may be apart, in seconds. */
const clockTolerance = 5;
/** OpenID Connect Core, section 2: `sub` has at most 255 characters. */
const maxSubject = 255;

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
    if (known.generation !== known.trusted.keys.generation) return undefined;
    // Has the keys renewed in the background when it is time, and is not waited for.
    known.trusted.keys.renewIfOld();
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
    const trusted = this.trustedFor(token);
    const { generation, payload } = await this.verifiedPayload(token, trusted);
    const expiresAt = ((payload.exp ?? 0) + clockTolerance) * 1000;
    const caller = toCaller(payload, trusted.policy, expiresAt);
    this.verified.set(digest, { caller, expiresAt, trusted, generation });
    return caller;
  }

  /** Whose token it says it is, and what is expected of such a one. Nothing of it is believed yet. */
  private trustedFor(token: string): Trusted {
    let header: ProtectedHeaderParameters;
    let payload: JWTPayload;
    try {
      header = decodeProtectedHeader(token);
      payload = decodeJwt(token);
    } catch {
      throw notValid("it is no signed JSON Web Token");
    }
    const candidates = this.byIssuer.get(payload.iss ?? "");
    if (!candidates) throw notValid("its issuer is not trusted here");
    const audiences = [payload.aud ?? []].flat();
    const trusted = candidates.find(({ policy }) =>
      policy.audiences.some((each) => audiences.includes(each)),
    );
    if (!trusted) throw notValid("it is meant for another audience");
    const algorithms: readonly string[] = trusted.policy.algorithms;
    // RFC 9864 has made names of its own for EdDSA's curves; Ed25519 is the one that is meant.
    if (!algorithms.includes(header.alg === "Ed25519" ? "EdDSA" : String(header.alg))) {
      throw notValid("its algorithm is not accepted");
    }
    const types: readonly string[] = trusted.policy.types;
    const type = header.typ?.toLowerCase().replace(/^application\//, "") ?? "absent";
    if (!types.includes(type)) throw notValid("its typ is not that of an access token");
    return trusted;
  }

  private async verifiedPayload(
    token: string,
    { policy, keys }: Trusted,
  ): Promise<{ readonly payload: JWTPayload; readonly generation: number }> {
    const verify = async (keySet: KeySet) => {
      const { generation } = keys;
      const algorithms = policy.algorithms.flatMap((name) => (name === "EdDSA" ? [name, "Ed25519"] : name));
      const { payload } = await jwtVerify(token, keySet, {
        algorithms,
        issuer: policy.issuer,
        audience: [...policy.audiences],
        clockTolerance,
        currentDate: new Date(this.clock.now()),
        requiredClaims: ["sub", "exp"],
      });
      return { payload, generation };
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

function notValid(why: string): GatewayError {
  return new GatewayError("UNAUTHENTICATED", `The access token is not valid: ${why}.`);
}

function toCaller(claims: JWTPayload, policy: OidcIssuer, validUntil: number): Caller {
  const subject = subjectOf(claims);
  const guest = isGuest(claims, policy);
  const carried = ["scope", "scp", "roles", "permissions"].flatMap((name) => wordsOf(claims[name]));
  return {
    kind: guest ? "guest" : "user",
    id: `user:${policy.issuer} ${subject}`,
    name: subject,
    rights: new Set(policy.rights.filter((right) => carried.includes(right))),
    scopes: withParts(guest ? policy.guestScopes : policy.scopes),
    user: {
      issuer: policy.issuer,
      subject,
      byClaim: policy.identityClaim !== undefined,
      identityId: identityIn(claims, policy.identityClaim),
      objectId: typeof claims.oid === "string" ? claims.oid : undefined,
      ephemeralForMs: guest ? policy.guestEphemeralMs : undefined,
    },
    validUntil,
    requestsPerMinute: undefined,
    issuancesPerMinute: undefined,
  };
}

/** What cannot be told apart in a database or a log names nobody: lone surrogates, control characters, other types. */
function subjectOf({ sub }: { readonly sub?: unknown }): string {
  if (typeof sub === "string" && sub !== "" && sub.length <= maxSubject && !/[\p{Cc}\p{Cs}]/u.test(sub))
    return sub;
  throw notValid(`its sub must be a text of 1 to ${maxSubject} printable characters`);
}

function isGuest(claims: JWTPayload, { guests }: OidcIssuer): boolean {
  if (guests === undefined || guests === "all") return guests === "all";
  const claim = claims[guests.claim];
  return wordsOf(claim).includes(guests.value) || String(claim) === guests.value;
}

/** The words of a claim that is a list, or a string as OAuth writes scopes. */
function wordsOf(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ");
  return Array.isArray(claim) ? claim.filter((word) => typeof word === "string") : [];
}

function identityIn(claims: JWTPayload, name: string | undefined): string | undefined {
  const claim = name === undefined ? undefined : claims[name];
  if (claim === undefined || claim === null) return undefined;
  if (typeof claim === "string" && isIdentityId(claim)) return claim;
  throw notValid(`its claim ${name ?? ""} is not the id of an ACS identity`);
}
