/** Who is calling and what they may do: plain data, no I/O. */
import type { TokenScope } from "../tokens/token-scope";
import type { Right } from "./rights";

/** A user of the app, as an issuer knows him (OpenID Connect Core, section 2: `iss` and `sub` together are unique). */
export interface Subject {
  readonly issuer: string;
  readonly subject: string;
  /** The issuer itself says which identity is his; then the directory is not asked. */
  readonly byClaim: boolean;
  /** The identity in the issuer's claim. */
  readonly identityId: string | undefined;
  /** His object id in Entra, if the issuer tells one. */
  readonly objectId: string | undefined;
  /** His identities are deleted this many milliseconds after their last use. */
  readonly ephemeralForMs: number | undefined;
}

/** A caller whose credential was verified. */
export interface Caller {
  /** A program with an API key, a user of the app, or a user that only visits. */
  readonly kind: "service" | "user" | "guest";
  /** Tells it from every other caller, in limits and in the audit. */
  readonly id: string;
  /** The name of its key, or its subject. */
  readonly name: string;
  /** What it may do with what is not its own. */
  readonly rights: ReadonlySet<Right>;
  /** Which scopes its tokens may have. */
  readonly scopes: ReadonlySet<TokenScope>;
  /** Whose identity is its own; undefined for services, which have none. */
  readonly user: Subject | undefined;
  /** When its credential expires, in milliseconds since the epoch; undefined: never. */
  readonly validUntil: number | undefined;
  /** Requests that it may send in a minute, if its key says. */
  readonly requestsPerMinute: number | undefined;
  /** Calls to ACS that it may cause in a minute, if its key says. */
  readonly issuancesPerMinute: number | undefined;
}
