/** API key → Caller, in constant time. */
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock";
import { hashApiKey, type ApiKey } from "./api-key";
import type { Caller } from "./caller";
import { withParts } from "./scope-policy";

/** The keys in force, asked anew for each request. */
export interface ApiKeys {
  current(): readonly ApiKey[];
  /** Calls `listener` whenever other keys come into force; undefined where they never change. */
  onChange?(listener: () => void): void;
}

/** Knows the keys in force by their hashes. */
export class ApiKeyAuthenticator {
  private readonly callers = new WeakMap<ApiKey, Caller>();

  constructor(
    readonly keys: ApiKeys,
    private readonly clock: Clock,
  ) {}

  /** The caller whose key this is; undefined for a wrong or expired key. Every key is compared, whichever matches. */
  authenticate(presented: string): Caller | undefined {
    const hash = hashApiKey(presented);
    let found: ApiKey | undefined;
    for (const key of this.keys.current()) {
      if (timingSafeEqual(key.hash, hash)) found = key;
    }
    if (!found || (found.expiresAt !== undefined && found.expiresAt <= this.clock.now())) return undefined;
    return this.callerOf(found);
  }

  private callerOf(key: ApiKey): Caller {
    const known = this.callers.get(key);
    if (known) return known;
    const caller: Caller = {
      kind: "service",
      id: `key:${key.name}`,
      name: key.name,
      rights: new Set(key.rights),
      scopes: withParts(key.scopes),
      user: undefined,
      validUntil: key.expiresAt,
      requestsPerMinute: key.requestsPerMinute,
      issuancesPerMinute: key.issuancesPerMinute,
    };
    this.callers.set(key, caller);
    return caller;
  }
}
