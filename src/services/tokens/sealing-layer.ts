/** A store of sealed bytes made into a store of open tokens; what does not open is a miss. */
import type { Events } from "../telemetry/events";
import type { Span } from "../telemetry/span";
import type { TokenCipher } from "./token-cipher";
import { decodeToken, encodeToken } from "./token-codec";
import type { TokenKey } from "./token-key";
import type { Acquired, AcquireOptions, CachedToken, Committed, Lease, TokenStore } from "./token-store";

/**
 * {@link TokenStore} of tokens over one of bytes. A value is sealed for its key's text, so one that somebody moved to
 * another identity or field does not open. A value that does not open is counted, never shown, and replaced by the
 * next issuance.
 */
export class SealedTokenStore implements TokenStore<CachedToken> {
  constructor(
    private readonly store: TokenStore<Buffer>,
    private readonly cipher: TokenCipher,
    private readonly events: Pick<Events, "valueDidNotOpen">,
  ) {}

  read(key: TokenKey, span?: Span): Promise<CachedToken | undefined> {
    return this.store.read(key, span).then((sealed) => sealed && this.open(sealed, key));
  }

  async list(identityIds: readonly string[]): Promise<{ key: TokenKey; value: CachedToken }[][]> {
    const lists = await this.store.list(identityIds);
    return lists.map((entries) =>
      entries.flatMap(({ key, value }) => {
        const token = this.open(value, key);
        return token ? [{ key, value: token }] : [];
      }),
    );
  }

  async acquire(key: TokenKey, options: AcquireOptions): Promise<Acquired<CachedToken>> {
    const acquired = await this.store.acquire(key, options);
    if (acquired.kind !== "token") return acquired;
    const token = this.open(acquired.token, key);
    if (token) return { kind: "token", token };
    const again = await this.store.acquire(key, { ...options, minLeftMs: Infinity });
    // Asked to ignore the token, the store answers with a lease or with how long to wait.
    return again.kind === "token" ? { kind: "busy", retryAfterMs: options.leaseMs } : again;
  }

  extend(key: TokenKey, lease: Lease, leaseMs: number): Promise<boolean> {
    return this.store.extend(key, lease, leaseMs);
  }

  commit(key: TokenKey, lease: Lease, value: CachedToken, keepMs: number, span?: Span): Promise<Committed> {
    return this.store.commit(key, lease, this.cipher.seal(encodeToken(value), key.text), keepMs, span);
  }

  release(key: TokenKey, lease: Lease, span?: Span): Promise<void> {
    return this.store.release(key, lease, span);
  }

  beginRevocation(identityId: string, revocation: string, span?: Span): Promise<void> {
    return this.store.beginRevocation(identityId, revocation, span);
  }

  endRevocation(identityId: string, revocation: string, span?: Span): Promise<void> {
    return this.store.endRevocation(identityId, revocation, span);
  }

  private open(sealed: Buffer, key: TokenKey): CachedToken | undefined {
    const plain = this.cipher.open(sealed, key.text);
    const token = plain && decodeToken(plain);
    if (!token) this.events.valueDidNotOpen();
    return token;
  }
}
