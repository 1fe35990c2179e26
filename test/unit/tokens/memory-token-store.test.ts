/** The in-process store keeps the promises of every store, and its bound. */
import { expect, it } from "@jest/globals";
import { MemoryTokenStore } from "../../../src/services/tokens/memory-token-store";
import { tokenKey } from "../../../src/services/tokens/token-key";
import type { CachedToken } from "../../../src/services/tokens/token-store";
import { FakeClock } from "../../support/fake-clock";
import { describeTokenStore } from "../../support/token-store.suite";

describeTokenStore("MemoryTokenStore", () => {
  const clock = new FakeClock();
  const store = new MemoryTokenStore<CachedToken>(clock, 1_000);
  return Promise.resolve({
    stores: [store, store] as const,
    pass: (ms: number) => {
      clock.advanceBy({ ms });
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

it("forgets the least recently used identities first, and refuses their late commits", async () => {
  const store = new MemoryTokenStore<CachedToken>(new FakeClock(), 2);
  const keys = [1, 2, 3].map((user) =>
    tokenKey(`8:acs:00000000-0000-4000-8000-000000000001_${user}`, ["chat"], 60, "c"),
  );
  const [first, second, third] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
  const value = { token: "t", scopes: ["chat"], expiresOn: 2e12 } as const;
  const taken = await store.acquire(first, { leaseMs: 1_000 });
  for (const key of [second, third]) {
    const turn = await store.acquire(key, { leaseMs: 1_000 });
    if (turn.kind === "lease") await store.commit(key, turn.lease, value, 1_000);
  }
  expect(taken.kind).toBe("lease");
  if (taken.kind === "lease") expect(await store.commit(first, taken.lease, value, 1_000)).toBe("superseded");
  expect(await store.read(second)).toEqual(value);
  expect(await store.read(third)).toEqual(value);
});
