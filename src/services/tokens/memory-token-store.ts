/** The token store protocol in one process, bounded: the least recently used identities are forgotten first. */
import { randomUUID } from "node:crypto";
import type { LRUCache } from "lru-cache";
import { boundedCache } from "../bounded-cache";
import type { Clock } from "../clock";
import type { TokenKey } from "./token-key";
import {
  pendingRevocationMs,
  type Acquired,
  type AcquireOptions,
  type Committed,
  type Lease,
  type TokenStore,
} from "./token-store";

interface IdentityRecord<T> {
  generation: string;
  /** Token per field, with the time until which it may be served. */
  readonly tokens: Map<string, { key: TokenKey; value: T; until: number }>;
  readonly leases: Map<string, { id: string; until: number }>;
  /** Pending revocations and when each stops to count. */
  readonly revocations: Map<string, number>;
}

/**
 * {@link TokenStore} for a gateway without Redis. Forgetting an identity's record is always safe: a commit whose
 * generation is gone counts as superseded.
 */
export class MemoryTokenStore<T extends object> implements TokenStore<T> {
  private readonly identities: LRUCache<string, IdentityRecord<T>>;

  constructor(
    private readonly clock: Clock,
    /** The most identities remembered at once. */
    maxIdentities: number,
  ) {
    this.identities = boundedCache(maxIdentities);
  }

  read(key: TokenKey): Promise<T | undefined> {
    return Promise.resolve(this.live(this.identities.get(key.identityId), key));
  }

  list(identityIds: readonly string[]): Promise<{ key: TokenKey; value: T }[][]> {
    const now = this.clock.now();
    return Promise.resolve(
      identityIds.map((id) =>
        [...(this.identities.get(id)?.tokens.values() ?? [])].filter(({ until }) => until > now),
      ),
    );
  }

  acquire(key: TokenKey, options: AcquireOptions): Promise<Acquired<T>> {
    const now = this.clock.now();
    const record = this.record(key.identityId);
    const pending = this.pendingUntil(record);
    if (pending > now && !options.whileRevoking) {
      return Promise.resolve({ kind: "revoking", retryAfterMs: pending - now });
    }
    const token = this.live(record, key, options.minLeftMs);
    if (token) return Promise.resolve({ kind: "token", token });
    const held = record.leases.get(key.field);
    if (held && held.until > now) return Promise.resolve({ kind: "busy", retryAfterMs: held.until - now });
    const lease = { id: randomUUID(), generation: record.generation };
    record.leases.set(key.field, { id: lease.id, until: now + options.leaseMs });
    return Promise.resolve({ kind: "lease", lease });
  }

  extend(key: TokenKey, lease: Lease, leaseMs: number): Promise<boolean> {
    const now = this.clock.now();
    const held = this.identities.get(key.identityId)?.leases.get(key.field);
    if (held?.id !== lease.id || held.until <= now) return Promise.resolve(false);
    held.until = now + leaseMs;
    return Promise.resolve(true);
  }

  commit(key: TokenKey, lease: Lease, value: T, keepMs: number): Promise<Committed> {
    const record = this.identities.get(key.identityId);
    if (record?.generation !== lease.generation) return Promise.resolve("superseded");
    const now = this.clock.now();
    const mine = record.leases.get(key.field)?.id === lease.id;
    if (mine) record.leases.delete(key.field);
    if (!mine || this.pendingUntil(record) > now) return Promise.resolve("unstored");
    record.tokens.set(key.field, { key, value, until: now + keepMs });
    return Promise.resolve("stored");
  }

  release(key: TokenKey, lease: Lease): Promise<void> {
    const leases = this.identities.get(key.identityId)?.leases;
    if (leases?.get(key.field)?.id === lease.id) leases.delete(key.field);
    return Promise.resolve();
  }

  beginRevocation(identityId: string, revocation: string): Promise<void> {
    const record = this.record(identityId);
    this.purge(record);
    record.revocations.set(revocation, this.clock.now() + pendingRevocationMs);
    return Promise.resolve();
  }

  endRevocation(identityId: string, revocation: string): Promise<void> {
    const record = this.identities.get(identityId);
    if (record) {
      this.purge(record);
      record.revocations.delete(revocation);
    }
    return Promise.resolve();
  }

  private record(identityId: string): IdentityRecord<T> {
    let record = this.identities.get(identityId);
    if (!record) {
      record = { generation: randomUUID(), tokens: new Map(), leases: new Map(), revocations: new Map() };
      this.identities.set(identityId, record);
    }
    return record;
  }

  private live(record: IdentityRecord<T> | undefined, key: TokenKey, minLeftMs = 0): T | undefined {
    const entry = record?.tokens.get(key.field);
    if (!entry) return undefined;
    const leftMs = entry.until - this.clock.now();
    if (leftMs <= 0) record?.tokens.delete(key.field);
    return leftMs > 0 && leftMs >= minLeftMs ? entry.value : undefined;
  }

  private pendingUntil(record: IdentityRecord<T>): number {
    const now = this.clock.now();
    let latest = 0;
    for (const [id, until] of record.revocations) {
      if (until <= now) record.revocations.delete(id);
      else latest = Math.max(latest, until);
    }
    return latest;
  }

  private purge(record: IdentityRecord<T>): void {
    record.generation = randomUUID();
    record.tokens.clear();
    record.leases.clear();
  }
}
