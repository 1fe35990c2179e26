/**
 * The token store's port and protocol: what every store promises, and the limits of that promise.
 *
 * Promise: a token that was issued before a revocation is never read, and never committed, after `endRevocation` of
 * that revocation has returned, by any process that shares the store. It rests on three rules.
 *
 * 1. Each identity has a generation, an opaque random value. `beginRevocation` and `endRevocation` both replace it
 *    and drop the identity's tokens.
 * 2. A token is committed only when the generation is still the one that was seen when the lease was acquired, so a
 *    token whose issuance began before a revocation ended is refused as `superseded`, and its holder must not serve it.
 * 3. While a revocation is pending (begun, not ended) nothing is stored. A revoker that dies in between leaves it
 *    pending for {@link pendingRevocationMs}, longer than any issuance lasts.
 *
 * The order that callers must keep: begin, then Azure, then end, then answer. Without the begin, a crash between
 * Azure's answer and the end would leave dead tokens in the store; without the end, a token issued while Azure was
 * still revoking could stay.
 *
 * Limits: the store knows nothing of revocations that did not go through it (the Azure portal, another program).
 * `forceRefresh` is the cure. A store that fails throws {@link StoreUnavailable}; its state is then unknown, and a
 * command that timed out may still run later, which the rules above allow for.
 */
import { randomBytes } from "node:crypto";
import type { TokenKey } from "./token-key";
import type { TokenScope } from "./token-scope";
import type { Span } from "../telemetry/span";

/** How long a revocation that never ended keeps tokens from being stored, in milliseconds. */
export const pendingRevocationMs = 60_000;

/** A token as it is cached. */
export interface CachedToken {
  readonly token: string;
  readonly scopes: readonly TokenScope[];
  /** The earlier of what ACS answered and what the token says itself, in milliseconds since the epoch. */
  readonly expiresOn: number;
}

/** The right to issue for one key: who holds it, and the generation that was in force when it was taken. */
export interface Lease {
  readonly id: string;
  readonly generation: string;
}

/**
 * Who may issue for a key right now: nobody needs to (a token is there), you, nobody yet because somebody else is at
 * it (`busy`), or because a revocation is pending (`revoking`).
 */
export type Acquired<T> =
  | { readonly kind: "token"; readonly token: T }
  | { readonly kind: "lease"; readonly lease: Lease }
  | { readonly kind: "busy" | "revoking"; readonly retryAfterMs: number };

/**
 * What became of a committed token. `stored`: serve it. `unstored`: no revocation overtook it, but one is pending, the
 * lease was lost, or the store is full; serve it to those who already wait. `superseded`: a revocation overtook it; it
 * must not be served.
 */
export type Committed = "stored" | "unstored" | "superseded";

/** A new revocation's id: 96 random bits in hexadecimal, which can stand in a Lua pattern. */
export function newRevocation(): string {
  return randomBytes(12).toString("hex");
}

/** How a lease is asked for. */
export interface AcquireOptions {
  /** How long the lease lasts unless it is extended, in milliseconds. */
  readonly leaseMs: number;
  /** A token that may be served for less than this many milliseconds counts as none; `Infinity` ignores any. Default 0. */
  readonly minLeftMs?: number;
  /** Take the lease even though a revocation is pending; the token will not be stored. */
  readonly whileRevoking?: boolean;
  readonly span?: Span | undefined;
}

/**
 * A store of values of type `T`, keyed by {@link TokenKey}. Every method may throw {@link StoreUnavailable}. A `span` is
 * the work that the store is asked in.
 */
export interface TokenStore<T> {
  /** The token for `key`, if there is one that may still be served. */
  read(key: TokenKey, span?: Span): Promise<T | undefined>;
  /** What is cached for each identity, in the order asked for. */
  list(identityIds: readonly string[]): Promise<{ key: TokenKey; value: T }[][]>;
  /** Atomically: the token, or the lease, or how long whoever holds it still may. */
  acquire(key: TokenKey, options: AcquireOptions): Promise<Acquired<T>>;
  /** Makes a lease last `leaseMs` from now on. False when it is no longer held: it ran out, or a revocation ended it. */
  extend(key: TokenKey, lease: Lease, leaseMs: number): Promise<boolean>;
  /** Atomically: stores `value` for `keepMs` and gives the lease back, if the rules above allow it. */
  commit(key: TokenKey, lease: Lease, value: T, keepMs: number, span?: Span): Promise<Committed>;
  /** Gives the lease back after a failed issuance; does nothing when it is no longer held. */
  release(key: TokenKey, lease: Lease, span?: Span): Promise<void>;
  /** Step one of a revocation. Its caller makes up the id, to end by it even a begin whose answer was lost. */
  beginRevocation(identityId: string, revocation: string, span?: Span): Promise<void>;
  /** Last step of a revocation; may be called again, and without a begin that succeeded. */
  endRevocation(identityId: string, revocation: string, span?: Span): Promise<void>;
}

/** The store could not be asked, or did not answer in time. `reason` is a short code, never a stored value. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
  constructor(readonly reason: string) {
    super(`The token store is unavailable: ${reason}.`);
  }

  /** It was asked, and may only have been too busy to answer in time. */
  get isLate(): boolean {
    return this.reason === "TIMEOUT";
  }
}
