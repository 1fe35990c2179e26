/** What a caller can be allowed beyond what is its own, and how a text names it. */

/**
 * The rights, each with what it allows. They are scopes in the sense of OAuth 2.0 (RFC 6749, section 3.3), so an issuer
 * can put them into a token as they stand.
 */
const rights = {
  "identity:create": "make identities",
  "identity:read:any": "see what the gateway has cached for any identity",
  "identity:delete:any": "delete any identity",
  "token:issue:any": "issue tokens for any identity",
  "token:revoke:any": "revoke the tokens of any identity",
  "token:exchange:any": "exchange any Teams user's Entra token",
  "gateway:operate": "read the gateway's metrics, which its status page shows, and set the level of its log",
  "schema:read": "read the schema of a gateway in production, as a federation router's registry does",
} as const;

/** One of {@link rights}. */
export type Right = keyof typeof rights;

/** All of {@link rights}. */
export const allRights = Object.keys(rights) as readonly Right[];
