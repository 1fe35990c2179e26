/** An issuer of access tokens that the gateway trusts, and what its users may do: its text form in the environment. */
import { tokenScopes, type TokenScope } from "../tokens/token-scope";
import type { Meaning } from "../watched-file";
import { EntryProblem, number, parsed, single, splitEntries, words, type Entry } from "./entries";
import { allRights, type Right } from "./rights";
import { guestScopes } from "./scope-policy";

/** Algorithms of keys that only the issuer has (RFC 7518, section 3.1; RFC 8037): a shared secret is none of them. */
export const signatureAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;
/** One of {@link signatureAlgorithms}. */
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];
/** Accepted unless the entry says otherwise. */
const defaultAlgorithms: readonly SignatureAlgorithm[] = ["RS256", "PS256", "ES256", "EdDSA"];
/** How far the issuer's clock and ours may be apart, in seconds. */
const clockTolerance = { min: 0, max: 300, default: 5 };

/** What a token's `typ` may be, without `application/`: an access token by RFC 9068, or a JWT of no declared kind. */
const tokenTypes = ["at+jwt", "jwt", "absent"] as const;
/** One of {@link tokenTypes}. */
type TokenType = (typeof tokenTypes)[number];

/** A claim that is the value, or a list or space-separated text that has it among others. */
export interface ClaimValue {
  readonly claim: string;
  readonly value: string;
}

/** Which of an issuer's users are guests: all, or those with a claim. */
type Guests = "all" | ClaimValue;

/** An issuer and its users' policy. */
export interface OidcIssuer {
  /** `iss`, compared as it stands. */
  readonly issuer: string;
  /** One of them must be in `aud`. */
  readonly audiences: readonly string[];
  /** Where its keys are; undefined: where its discovery document says. */
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly types: readonly TokenType[];
  /** The claims that a token must have, all of them. */
  readonly required: readonly ClaimValue[];
  /** How far its clock and ours may be apart, in seconds: 0 to 300. */
  readonly clockToleranceSeconds: number;
  /** The claim that tells its users apart. */
  readonly subjectClaim: string;
  /** What users may be issued. */
  readonly scopes: readonly TokenScope[];
  readonly guests: Guests | undefined;
  /** What guests may be issued. */
  readonly guestScopes: readonly TokenScope[];
  /** A guest's identity is deleted so long after its last use; undefined: it stays. */
  readonly guestEphemeralMs: number | undefined;
  /** The rights that its tokens can carry. */
  readonly rights: readonly Right[];
  /** The claim that holds a user's identity, so that no directory is needed. */
  readonly identityClaim: string | undefined;
}

const form =
  "must be issuers such as https://login.example.com audience=<audience>, several separated by commas";
const fieldNames = [
  "audience",
  "jwks",
  "algorithms",
  "typ",
  "require",
  "clock-tolerance",
  "subject-claim",
  "scopes",
  "guests",
  "guest-scopes",
  "guest-hours",
  "rights",
  "identity-claim",
] as const;
const hour = 3_600_000;

/** Reads `<issuer> audience=… [field=…]…`, several separated by commas or newlines. At least one. */
export function parseOidcIssuers(text: string): Meaning<readonly OidcIssuer[]> {
  return parsed(() => {
    const issuers = splitEntries(text, fieldNames).map(toIssuer);
    if (issuers.length === 0) throw new EntryProblem(form);
    const pairs = issuers.flatMap(({ issuer, audiences }) =>
      audiences.map((audience) => `${issuer} ${audience}`),
    );
    if (new Set(pairs).size < pairs.length)
      throw new EntryProblem("must not name an issuer and audience twice");
    checkSpeakers(issuers);
    return issuers;
  });
}

/** What two entries together must not allow: that one user can be taken for another. */
function checkSpeakers(issuers: readonly OidcIssuer[]): void {
  const subjects = new Set(issuers.map(({ issuer, subjectClaim }) => `${issuer} ${subjectClaim}`));
  if (subjects.size > new Set(issuers.map(({ issuer }) => issuer)).size) {
    throw new EntryProblem("must give all entries of one issuer the same subject-claim");
  }
  const naming = issuers.filter(({ identityClaim }) => identityClaim !== undefined);
  if (new Set(naming.map(({ issuer }) => issuer)).size > 1) {
    throw new EntryProblem(
      "must give identity-claim to one issuer only: of two, either could name identities of the other's users. Leave it out for the others, whose identities the gateway then keeps in its directory",
    );
  }
}

function toIssuer(entry: Entry): OidcIssuer {
  const issuer = entry.head;
  if (!isSafeUrl(issuer) || /[?#]/.test(issuer)) {
    throw new EntryProblem(`${form}; an issuer is an https URL, http only on this machine`);
  }
  const audiences = entry.fields.get("audience");
  if (!audiences) throw new EntryProblem(`must give ${issuer} an audience: whom its tokens are for`);
  const jwksUri = single(entry, "jwks", issuer);
  if (jwksUri !== undefined && !isSafeUrl(jwksUri)) {
    throw new EntryProblem(`must give ${issuer} a jwks that is an https URL`);
  }
  const guestHours = number(entry, "guest-hours", issuer, 0, 8_760) ?? 24;
  return {
    issuer,
    audiences,
    jwksUri,
    algorithms: words(entry, "algorithms", signatureAlgorithms, issuer) ?? defaultAlgorithms,
    // at+jwt cannot be told from two joined words, so types are given one by one.
    types: types(entry.fields.get("typ"), issuer) ?? ["at+jwt", "jwt"],
    required: (entry.fields.get("require") ?? []).map((text) => claimValue("require", text, issuer)),
    clockToleranceSeconds:
      number(entry, "clock-tolerance", issuer, clockTolerance.min, clockTolerance.max) ??
      clockTolerance.default,
    subjectClaim: single(entry, "subject-claim", issuer) ?? "sub",
    scopes: words(entry, "scopes", tokenScopes, issuer) ?? tokenScopes,
    guests: guests(single(entry, "guests", issuer), issuer),
    guestScopes: words(entry, "guest-scopes", tokenScopes, issuer) ?? guestScopes,
    guestEphemeralMs: guestHours === 0 ? undefined : guestHours * hour,
    rights: words(entry, "rights", allRights, issuer) ?? [],
    identityClaim: single(entry, "identity-claim", issuer),
  };
}

function types(given: readonly string[] | undefined, issuer: string): readonly TokenType[] | undefined {
  return given?.map((text) => {
    const found = tokenTypes.find((type) => type === text.toLowerCase());
    if (!found) throw new EntryProblem(`must give ${issuer} a typ among at+jwt, JWT, absent`);
    return found;
  });
}

function guests(text: string | undefined, issuer: string): Guests | undefined {
  if (text === undefined || text === "all") return text;
  return claimValue("guests", text, issuer);
}

/** `<claim>:<value>`. A claim's name may be a URL, which has a colon of its own. */
function claimValue(field: "guests" | "require", text: string, issuer: string): ClaimValue {
  const colon = text.indexOf(":", /^https?:\/\//.exec(text)?.[0].length ?? 0);
  const [claim, value] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
  if (claim !== "" && value !== "") return { claim, value };
  const all = field === "guests" ? "guests=all or " : "";
  throw new EntryProblem(`must give ${issuer} ${all}${field}=<claim>:<value>`);
}

/** Whether keys may come from `url`: nobody else can have written what it answers. */
export function isSafeUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== "" || password !== "") return false;
  return (
    protocol === "https:" ||
    (protocol === "http:" && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname))
  );
}
