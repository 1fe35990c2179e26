/** API keys without the keys: their text form, as the environment and the key file have it. */
import { hash } from "node:crypto";
import { tokenScopes, type TokenScope } from "../tokens/token-scope";
import type { Meaning } from "../watched-file";
import { EntryProblem, number, parsed, single, splitEntries, words } from "./entries";
import { allRights, type Right } from "./rights";

/** A key that may call, without the key. */
export interface ApiKey {
  /** What the key is called in answers and logs. */
  readonly name: string;
  /** SHA-256 of the key. A fast hash is enough, because keys are long and random. */
  readonly hash: Buffer;
  readonly rights: readonly Right[];
  /** Which scopes its tokens may have. */
  readonly scopes: readonly TokenScope[];
  /** From then on it is not valid, in milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
  /** Instead of the limit for callers in general. */
  readonly requestsPerMinute?: number | undefined;
  /** Calls to ACS that it may cause in a minute; undefined: as many as ACS allows. */
  readonly issuancesPerMinute?: number | undefined;
}

/** SHA-256 of an API key as it was sent. */
export function hashApiKey(key: string): Buffer {
  return hash("sha256", key, "buffer");
}

const form =
  "must be <name>:<SHA-256 of the key in hex> rights=<right>+<right>…, several separated by commas";
const fieldNames = ["rights", "scopes", "expires", "requests-per-minute", "issuances-per-minute"] as const;

/**
 * Reads `<name>:<hash> rights=… [scopes=…] [expires=…] [requests-per-minute=…] [issuances-per-minute=…]`, several separated by commas or
 * newlines. Several keys may have one name, so that a service can change its key without a gap. At least one.
 */
export function parseApiKeys(text: string): Meaning<readonly ApiKey[]> {
  return parsed(() => {
    const keys = splitEntries(text, fieldNames).map((entry): ApiKey => {
      const [, name, hash] = /^([\w.-]{1,64}):([0-9a-fA-F]{64})$/.exec(entry.head) ?? [];
      if (name === undefined || hash === undefined) {
        throw new EntryProblem(`${form}; \`acs-token-gateway keys new-api-key <name>\` makes one`);
      }
      const rights = words(entry, "rights", allRights, name);
      if (!rights) {
        throw new EntryProblem(
          `must say what ${name} may do: rights=all, or some of ${allRights.join(", ")}, joined by +`,
        );
      }
      return {
        name,
        hash: Buffer.from(hash, "hex"),
        rights,
        scopes: words(entry, "scopes", tokenScopes, name) ?? tokenScopes,
        expiresAt: instant(single(entry, "expires", name), name),
        requestsPerMinute: number(entry, "requests-per-minute", name, 1, 10_000_000),
        issuancesPerMinute: number(entry, "issuances-per-minute", name, 1, 10_000_000),
      };
    });
    if (keys.length === 0)
      throw new EntryProblem(`${form}; \`acs-token-gateway keys new-api-key <name>\` makes one`);
    return keys;
  });
}

/** A date alone means its beginning in UTC. */
function instant(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$/.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(time)) {
    throw new EntryProblem(`must give ${name} an expires such as 2027-01-31 or 2027-01-31T18:00Z`);
  }
  return time;
}
