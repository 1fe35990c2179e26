/** The token store's promises, for every store to pass. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { tokenKey, type TokenKey } from "../../src/services/tokens/token-key";
import type { TokenScope } from "../../src/services/tokens/token-scope";
import {
  newRevocation,
  type Acquired,
  type CachedToken,
  type Lease,
  type TokenStore,
} from "../../src/services/tokens/token-store";

export interface StoreUnderTest extends AsyncDisposable {
  /** Two views of one store, as two gateways have them; the same object twice where a store is one process's. */
  readonly stores: readonly [TokenStore<CachedToken>, TokenStore<CachedToken>];
  /** Lets time pass for the store. */
  pass(ms: number): Promise<void>;
}

const leaseMs = 5_000;
let serial = 0;

function freshKey(scopes: readonly TokenScope[] = ["chat"], minutes = 60): TokenKey {
  const user = String(serial++).padStart(12, "0");
  return tokenKey(`8:acs:00000000-0000-4000-8000-000000000001_${user}`, scopes, minutes, "cred0001");
}

function token(text: string, key: TokenKey): CachedToken {
  return { token: text, scopes: key.scopes, expiresOn: 2_000_000_000_000 };
}

async function begin(store: TokenStore<CachedToken>, identityId: string): Promise<string> {
  const revocation = newRevocation();
  await store.beginRevocation(identityId, revocation);
  return revocation;
}

function leaseOf(acquired: Acquired<CachedToken>): Lease {
  if (acquired.kind !== "lease") throw new Error(`expected the lease, got ${acquired.kind}`);
  return acquired.lease;
}

export function describeTokenStore(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let world: StoreUnderTest;
    let a: TokenStore<CachedToken>;
    let b: TokenStore<CachedToken>;

    beforeAll(async () => {
      world = await start();
      [a, b] = world.stores;
    });
    afterAll(async () => {
      await world[Symbol.asyncDispose]();
    });

    const put = async (key: TokenKey, text: string, keepMs = 60_000) =>
      a.commit(key, leaseOf(await a.acquire(key, { leaseMs })), token(text, key), keepMs);

    it("has nothing for a key that was never committed", async () => {
      expect(await a.read(freshKey())).toBeUndefined();
    });

    it("reads on every gateway what one has committed, exactly as it was", async () => {
      const key = freshKey(["chat", "voip"]);
      expect(await put(key, "header.payload.signature")).toBe("stored");
      expect(await b.read(key)).toEqual(token("header.payload.signature", key));
      expect(await b.acquire(key, { leaseMs })).toEqual({
        kind: "token",
        token: token("header.payload.signature", key),
      });
    });

    it("keeps identities, scope sets, lifetimes and credentials apart", async () => {
      const key = freshKey(["chat"], 60);
      await put(key, "t");
      const others = [
        tokenKey(`${key.identityId}x`, key.scopes, 60, key.credential),
        tokenKey(key.identityId, ["chat", "voip"], 60, key.credential),
        tokenKey(key.identityId, key.scopes, 61, key.credential),
        tokenKey(key.identityId, key.scopes, 60, "cred0002"),
      ];
      for (const other of others) expect(await a.read(other)).toBeUndefined();
    });

    it("forgets a token when its time is over", async () => {
      const key = freshKey();
      await put(key, "t", 300);
      expect(await a.read(key)).toBeDefined();
      await world.pass(301);
      expect(await a.read(key)).toBeUndefined();
      expect(await a.list([key.identityId])).toEqual([[]]);
    });

    it("gives the lease of a key to one caller, and tells the others how long to wait", async () => {
      const key = freshKey();
      const turns = await Promise.all([a, b, a, b, a].map((store) => store.acquire(key, { leaseMs })));
      expect(turns.filter((turn) => turn.kind === "lease")).toHaveLength(1);
      for (const turn of turns) {
        if (turn.kind === "lease") continue;
        expect(turn).toEqual({ kind: "busy", retryAfterMs: expect.any(Number) });
        if (turn.kind !== "busy") continue;
        expect(turn.retryAfterMs).toBeGreaterThan(0);
        expect(turn.retryAfterMs).toBeLessThanOrEqual(leaseMs);
      }
    });

    it("gives the lease on when its holder died", async () => {
      const key = freshKey();
      const dead = leaseOf(await a.acquire(key, { leaseMs: 200 }));
      await world.pass(201);
      const lease = leaseOf(await b.acquire(key, { leaseMs }));
      expect(await a.commit(key, dead, token("late", key), 60_000)).not.toBe("stored");
      expect(await a.read(key)).toBeUndefined();
      expect(await b.commit(key, lease, token("t", key), 60_000)).toBe("stored");
    });

    it("gives the lease on at once when its holder released it, and ignores a release by anybody else", async () => {
      const key = freshKey();
      const lease = leaseOf(await a.acquire(key, { leaseMs }));
      await b.release(key, { ...lease, id: "0123456789abcdef01234567" });
      expect((await b.acquire(key, { leaseMs })).kind).toBe("busy");
      await a.release(key, lease);
      expect((await b.acquire(key, { leaseMs })).kind).toBe("lease");
    });

    it("keeps a lease for as long as its holder extends it, and no longer than it was taken away", async () => {
      const key = freshKey();
      const lease = leaseOf(await a.acquire(key, { leaseMs: 300 }));
      expect(await a.extend(key, lease, leaseMs)).toBe(true);
      await world.pass(301);
      expect((await b.acquire(key, { leaseMs })).kind).toBe("busy");
      expect(await b.extend(key, { ...lease, id: "0123456789abcdef01234567" }, leaseMs)).toBe(false);
      await b.endRevocation(key.identityId, await begin(b, key.identityId));
      expect(await a.extend(key, lease, leaseMs)).toBe(false);
      expect((await b.acquire(key, { leaseMs })).kind).toBe("lease");
    });

    it("gives the lease of a key whose token may not be served for as long as asked", async () => {
      const key = freshKey();
      await put(key, "old", 60_000);
      expect((await a.acquire(key, { leaseMs, minLeftMs: 30_000 })).kind).toBe("token");
      const lease = leaseOf(await a.acquire(key, { leaseMs, minLeftMs: 90_000 }));
      expect((await b.acquire(key, { leaseMs, minLeftMs: 90_000 })).kind).toBe("busy");
      await a.commit(key, lease, token("new", key), 120_000);
      expect(await b.acquire(key, { leaseMs, minLeftMs: 90_000 })).toMatchObject({
        kind: "token",
        token: { token: "new" },
      });
    });

    it("leaves the token in place while a forced refresh holds the lease", async () => {
      const key = freshKey();
      await put(key, "old");
      const lease = leaseOf(await a.acquire(key, { leaseMs, minLeftMs: Infinity }));
      expect((await b.read(key))?.token).toBe("old");
      expect((await b.acquire(key, { leaseMs, minLeftMs: Infinity })).kind).toBe("busy");
      await a.commit(key, lease, token("new", key), 60_000);
      expect((await b.read(key))?.token).toBe("new");
    });

    it("reads nothing from before a revocation, from its beginning on", async () => {
      const key = freshKey();
      await put(key, "t");
      const revocation = await begin(a, key.identityId);
      expect(await b.read(key)).toBeUndefined();
      await a.endRevocation(key.identityId, revocation);
      expect(await b.read(key)).toBeUndefined();
      expect((await b.acquire(key, { leaseMs })).kind).toBe("lease");
    });

    it("supersedes an issuance that a whole revocation overtook", async () => {
      const key = freshKey();
      const lease = leaseOf(await a.acquire(key, { leaseMs }));
      await b.endRevocation(key.identityId, await begin(b, key.identityId));
      expect(await a.commit(key, lease, token("stale", key), 60_000)).toBe("superseded");
      expect(await a.read(key)).toBeUndefined();
    });

    it("supersedes an issuance that began while the revocation was pending and ended after it", async () => {
      const key = freshKey();
      const revocation = await begin(b, key.identityId);
      const lease = leaseOf(await a.acquire(key, { leaseMs, whileRevoking: true }));
      await b.endRevocation(key.identityId, revocation);
      expect(await a.commit(key, lease, token("stale", key), 60_000)).toBe("superseded");
      expect(await a.read(key)).toBeUndefined();
    });

    it("lets callers wait while a revocation is pending, and stores nothing for those that do not", async () => {
      const key = freshKey();
      const revocation = await begin(b, key.identityId);
      expect((await a.acquire(key, { leaseMs })).kind).toBe("revoking");
      const lease = leaseOf(await a.acquire(key, { leaseMs, whileRevoking: true }));
      expect(await a.commit(key, lease, token("t", key), 60_000)).toBe("unstored");
      expect(await a.read(key)).toBeUndefined();
      await b.endRevocation(key.identityId, revocation);
    });

    it("stores nothing until the last of several revocations has ended", async () => {
      const key = freshKey();
      const first = await begin(a, key.identityId);
      const second = await begin(b, key.identityId);
      await a.endRevocation(key.identityId, first);
      expect((await a.acquire(key, { leaseMs })).kind).toBe("revoking");
      await b.endRevocation(key.identityId, second);
      expect(await put(key, "t")).toBe("stored");
    });

    it("stores again after a revoker died half way, when no issuance from before can still be under way", async () => {
      const key = freshKey();
      await begin(a, key.identityId);
      if (world.stores[0] === world.stores[1]) {
        await world.pass(60_001);
        expect(await put(key, "t")).toBe("stored");
      } else {
        // A minute of Redis's own time: here only that the wait is told, and bounded by it.
        const turn = await b.acquire(key, { leaseMs });
        expect(turn.kind).toBe("revoking");
        if (turn.kind === "revoking") expect(turn.retryAfterMs).toBeLessThanOrEqual(60_000);
      }
    });

    it("ends a revocation that never began, and one that ended already", async () => {
      const key = freshKey();
      await put(key, "t");
      await a.endRevocation(key.identityId, "0123456789abcdef01234567");
      expect(await b.read(key)).toBeUndefined();
      await a.endRevocation(key.identityId, "0123456789abcdef01234567");
      expect(await put(key, "u")).toBe("stored");
    });

    it("revokes one identity and leaves the others", async () => {
      const [revoked, kept] = [freshKey(), freshKey()];
      await put(revoked, "r");
      await put(kept, "k");
      await a.endRevocation(revoked.identityId, await begin(a, revoked.identityId));
      expect((await b.read(kept))?.token).toBe("k");
    });

    it("lists what is cached for several identities in their order", async () => {
      const [one, none] = [freshKey(["chat"]), freshKey()];
      const two = tokenKey(one.identityId, ["voip"], 120, one.credential);
      await put(one, "1");
      await put(two, "2");
      const [ofNone, ofOne] = await b.list([none.identityId, one.identityId]);
      expect(ofNone).toEqual([]);
      expect(ofOne?.map(({ key, value }) => [key.text, value.token]).sort()).toEqual([
        [one.text, "1"],
        [two.text, "2"],
      ]);
    });
  });
}
