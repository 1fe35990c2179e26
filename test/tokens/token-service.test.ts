/** Whoever holds the right to issue may die with it: the others get their tokens all the same. */
import { expect, it } from "@jest/globals";
import { startEmulator } from "../../emulator/emulator";
import { AcsIdentityProvider } from "../../src/services/azure/acs-identity-provider";
import { systemClock } from "../../src/services/clock";
import { MemoryTokenStore } from "../../src/services/tokens/memory-token-store";
import { tokenKey } from "../../src/services/tokens/token-key";
import { TokenService } from "../../src/services/tokens/token-service";
import { newRevocation, type CachedToken } from "../../src/services/tokens/token-store";
import { recordEvents } from "../support/recorded-events";

it.each([
  [
    "a gateway died while it held the lease",
    async (store: MemoryTokenStore<CachedToken>, identityId: string, credential: string) => {
      await store.acquire(tokenKey(identityId, ["chat"], 60, credential), { leaseMs: 60_000 });
    },
  ],
  [
    "a gateway died half way through a revocation",
    async (store: MemoryTokenStore<CachedToken>, identityId: string) => {
      await store.beginRevocation(identityId, newRevocation());
    },
  ],
])("issues within the deadline after %s", async (_what, die) => {
  await using emulator = await startEmulator({ limits: false });
  const [, accessKey = ""] = /accesskey=(.*)$/.exec(emulator.connectionString) ?? [];
  const events = recordEvents();
  const options = { endpoint: emulator.url, credential: { accessKey }, deadlineMs: 1_000, maxSockets: 5 };
  await using azure = new AcsIdentityProvider(options, systemClock, events);
  const store = new MemoryTokenStore<CachedToken>(systemClock, 10);
  const tokens = new TokenService(store, azure, systemClock, events, 15 * 60_000);
  const { identityId } = await azure.createIdentity(undefined, {});
  await die(store, identityId, azure.credentialFingerprint);
  const request = { identityId, scopes: ["chat"], lifetimeMinutes: 60, forceRefresh: false } as const;
  const { token, source } = await tokens.issue(request, {});
  expect(source).toBe("issued");
  expect(emulator.introspect(token)).toMatchObject({ active: true, identityId });
});
