/** What an issuer token says: its untrusted JSON parsed, and a caller made of claims that were verified. */
import { z } from "zod";
import { GatewayError } from "../../errors";
import { isIdentityId } from "../identities/identity-id";
import type { Caller } from "./caller";
import type { ClaimValue, OidcIssuer } from "./oidc-issuer";
import { withParts } from "./scope-policy";

/** OpenID Connect Core, section 2: `sub` has at most 255 characters. */
const maxSubject = 255;
/** What a Date can hold (ECMAScript, 21.4.1.1), in seconds. */
const seconds = z.number().min(0).max(8.64e12);

const headerSchema = z.looseObject({
  alg: z.string(),
  typ: z.string().optional(),
  kid: z.string().optional(),
});
const claimsSchema = z.looseObject({
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  exp: seconds,
  nbf: seconds.optional(),
  iat: seconds.optional(),
});

/** The parts of a JWT that have the types that RFC 7515 and RFC 7519 give them. */
export interface TokenParts {
  readonly header: z.infer<typeof headerSchema>;
  readonly claims: Claims;
}
/** Claims; those without a type here may hold anything. */
type Claims = z.infer<typeof claimsSchema>;

/** Parses what a token holds without believing it. Throws `UNAUTHENTICATED`; the message has nothing of the token in it. */
export function parseToken(decoded: { readonly header: unknown; readonly claims: unknown }): TokenParts {
  const header = headerSchema.safeParse(decoded.header);
  if (!header.success) throw wrongType("header parameter", header.error);
  const claims = claimsSchema.safeParse(decoded.claims);
  if (!claims.success) throw wrongType("claim", claims.error);
  return { header: header.data, claims: claims.data };
}

/** The media type that a token's header names, without `application/`; `absent` when it names none. */
export function typeOf({ typ }: TokenParts["header"]): string {
  return typ?.toLowerCase().replace(/^application\//, "") ?? "absent";
}

/**
 * The caller with these verified claims. Throws `UNAUTHENTICATED` when they are those of an ID token, lack what the
 * issuer's entry requires, or do not tell the user apart from others.
 */
export function toCaller({ header, claims }: TokenParts, policy: OidcIssuer, validUntil: number): Caller {
  if (isIdToken(claims, typeOf(header))) {
    throw notValid("it is an ID token: send the access token that was issued for this API");
  }
  for (const required of policy.required) {
    if (!holds(claims, required)) throw notValid(`its claim ${required.claim} must have ${required.value}`);
  }
  const subject = subjectOf(claims, policy.subjectClaim);
  const { guests } = policy;
  const guest = guests === "all" || (guests !== undefined && holds(claims, guests));
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

/** The one refusal of a token that is not valid. */
export function notValid(why: string): GatewayError {
  return new GatewayError("UNAUTHENTICATED", `The access token is not valid: ${why}.`);
}

function wrongType(what: string, { issues: [issue] }: z.ZodError): GatewayError {
  return notValid(`its ${what} ${String(issue?.path[0])} is missing or of the wrong type`);
}

/**
 * Hashes of other answers to a sign-in (OpenID Connect Core, 3.3.2.11; FAPI 1.0, part 2) are in ID tokens only, and
 * `events` in security events such as logout tokens (RFC 8417). Keycloak and Cognito say what a token is in a claim.
 * A nonce is the mark of an ID token too, but old Keycloaks put it into access tokens, which have a scope.
 */
function isIdToken(claims: Claims, type: string): boolean {
  if (["at_hash", "c_hash", "s_hash", "events"].some((name) => claims[name] !== undefined)) return true;
  if (claims.typ === "ID" || claims.token_use === "id") return true;
  const isAccessToken = type === "at+jwt" || claims.scope !== undefined || claims.scp !== undefined;
  return claims.nonce !== undefined && !isAccessToken;
}

/** Texts that issuers and broken claim mappings write in place of a user: the same for everybody. */
const placeholder =
  /^(not supported currently.*|null|undefined|none|n\/a|unknown|anonymous|\[object object\]|0{8}-0{4}-0{4}-0{4}-0{12})$/i;

/** What cannot be told apart in a database or a log names nobody: lone surrogates, control characters, other types. */
function subjectOf(claims: Claims, name: string): string {
  const subject = own(claims, name);
  if (typeof subject !== "string" || subject.length > maxSubject || /^\s*$|[\p{Cc}\p{Cs}]/u.test(subject)) {
    throw notValid(`its ${name} must be a text of 1 to ${maxSubject} printable characters`);
  }
  if (!placeholder.test(subject.trim())) return subject;
  throw notValid(
    `its ${name} is a placeholder that all users share. The operator must name a claim that tells them apart in the issuer's entry, such as subject-claim=oid`,
  );
}

function holds(claims: Claims, { claim, value }: ClaimValue): boolean {
  const found = own(claims, claim);
  if (typeof found === "boolean" || typeof found === "number") return String(found) === value;
  return found === value || wordsOf(found).includes(value);
}

/** The words of a claim that is a list, or a string as OAuth writes scopes. */
function wordsOf(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ");
  return Array.isArray(claim) ? claim.filter((word) => typeof word === "string") : [];
}

function identityIn(claims: Claims, name: string | undefined): string | undefined {
  const claim = name === undefined ? undefined : own(claims, name);
  if (claim === undefined || claim === null) return undefined;
  if (typeof claim === "string" && isIdentityId(claim)) return claim;
  throw notValid(`its claim ${name ?? ""} is not the id of an ACS identity`);
}

/** A claim by the name that an operator gave, which may be one that every object inherits. */
function own(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
