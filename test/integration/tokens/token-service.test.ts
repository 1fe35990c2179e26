/** A token is issued whoever has died, and none is served that a revocation has overtaken on its way. */
import { expect, it } from "@jest/globals";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { AcsIdentityProvider } from "../../../src/services/azure/acs-identity-provider";
import { systemClock } from "../../../src/services/clock";
import { MemoryTokenStore } from "../../../src/services/tokens/memory-token-store";
import { tokenKey, type TokenKey } from "../../../src/services/tokens/token-key";
import { TokenService } from "../../../src/services/tokens/token-service";
import {
  newRevocation,
  StoreUnavailable,
  type AcquireOptions,
  type CachedToken,
} from "../../../src/services/tokens/token-store";
import { recordEvents } from "../../support/recorded-events";
import { until } from "../../support/until";

const minRemainingMs = 15 * 60_000;

async function azureOn(emulator: Emulator, deadlineMs = 1_000) {
  const [, accessKey = ""] = /accesskey=(.*)$/.exec(emulator.connectionString) ?? [];
  const options = { endpoint: emulator.url, credential: { accessKey }, deadlineMs, maxSockets: 5 };
  const azure = new AcsIdentityProvider(options, systemClock, recordEvents());
  const { identityId } = await azure.createIdentity(undefined, {});
  const request = { identityId, scopes: ["chat"], lifetimeMinutes: 60, forceRefresh: false } as const;
  return { azure, identityId, request };
}

it.each([
  [
    "a gateway died while it held the lease",
    async (store: MemoryTokenStore<CachedToken>, identityId: string, credential: string) => {
      await store.acquire(tokenKey(identityId, ["chat"], 60, credential), { leaseMs: 300 });
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
  const { azure, identityId, request } = await azureOn(emulator);
  const store = new MemoryTokenStore<CachedToken>(systemClock, 10);
  const tokens = new TokenService(store, azure, systemClock, recordEvents(), minRemainingMs);
  await die(store, identityId, azure.credentialFingerprint);
  const { token, source } = await tokens.issue(request, {});
  expect(source).toBe("issued");
  expect(emulator.introspect(token)).toMatchObject({ active: true, identityId });
  await azure[Symbol.asyncDispose]();
});

/** A store whose answers to `read` and `acquire` can be kept under way, to arrive together. */
class DistantStore extends MemoryTokenStore<CachedToken> {
  asked = 0;
  private arrival = Promise.resolve();

  /** Keeps what is answered from now on under way; returns how to let it arrive. */
  hold(): () => void {
    let arrive: () => void = () => undefined;
    this.arrival = new Promise((resolve) => (arrive = resolve));
    return () => {
      arrive();
    };
  }

  override read(key: TokenKey) {
    return this.delay(super.read(key));
  }

  override acquire(key: TokenKey, options: AcquireOptions) {
    return this.delay(super.acquire(key, options));
  }

  private async delay<T>(answer: Promise<T>): Promise<T> {
    this.asked += 1;
    await this.arrival;
    return answer;
  }
}

it("shares no cached token with who came after a revocation that overtook it on its way", async () => {
  await using emulator = await startEmulator({ limits: false });
  const { azure, identityId, request } = await azureOn(emulator);
  const store = new DistantStore(systemClock, 10);
  const tokens = new TokenService(store, azure, systemClock, recordEvents(), minRemainingMs);
  const elsewhere = new TokenService(store, azure, systemClock, recordEvents(), minRemainingMs);
  const issued = await azure.issueToken(identityId, ["chat"], 60, {});

  const missArrives = store.hold();
  const early = tokens.issue(request, {});
  store.hold()();
  await elsewhere.remember(identityId, ["chat"], 60, issued);
  const asked = store.asked;
  const bothArrive = store.hold();
  missArrives();
  while (store.asked === asked) await new Promise((resolve) => setImmediate(resolve));
  await elsewhere.revoke(identityId, {});
  const late = tokens.issue(request, {});
  bothArrive();

  expect(await early).toMatchObject({ source: "cache", token: issued.token });
  expect(emulator.introspect((await late).token)).toMatchObject({ active: true });
  await azure[Symbol.asyncDispose]();
});

/** A store that can be away. */
class LosableStore extends MemoryTokenStore<CachedToken> {
  away = false;

  override read(key: TokenKey) {
    return this.orAway(() => super.read(key));
  }

  override acquire(key: TokenKey, options: AcquireOptions) {
    return this.orAway(() => super.acquire(key, options));
  }

  override beginRevocation(identityId: string, revocation: string) {
    return this.orAway(() => super.beginRevocation(identityId, revocation));
  }

  override endRevocation(identityId: string, revocation: string) {
    return this.orAway(() => super.endRevocation(identityId, revocation));
  }

  private orAway<T>(ask: () => Promise<T>): Promise<T> {
    return this.away ? Promise.reject(new StoreUnavailable("AWAY")) : ask();
  }
}

it("takes no token from a run of before a revocation that the store has yet to be told of", async () => {
  await using emulator = await startEmulator({ limits: false });
  const { azure, identityId, request } = await azureOn(emulator, 8_000);
  const store = new LosableStore(systemClock, 10);
  const tokens = new TokenService(store, azure, systemClock, recordEvents(), minRemainingMs);
  emulator.faults.add({ kind: "answerLate", latencyMs: 3_000, operation: "issueAccessToken", times: 1 });

  const early = tokens.issue(request, {});
  await until(() => Promise.resolve(emulator.worked("issueAccessToken") === 1));
  store.away = true;
  await expect(tokens.revoke(identityId, {})).rejects.toMatchObject({ code: "CACHE_UNAVAILABLE" });
  const late = tokens.issue(request, {});
  // The store is back before the revocation is told to it, and takes the early token, which is dead.
  await new Promise((resolve) => setImmediate(resolve));
  store.away = false;

  expect(emulator.introspect((await early).token)).toMatchObject({ active: false });
  expect(emulator.introspect((await late).token)).toMatchObject({ active: true });
  await tokens.storeIsBack();
  expect(emulator.introspect((await tokens.issue(request, {})).token)).toMatchObject({ active: true });
  await tokens[Symbol.asyncDispose]();
  await azure[Symbol.asyncDispose]();
}, 20_000);

/** A store that answers one read too late. */
class LateStore extends MemoryTokenStore<CachedToken> {
  late = false;

  override async read(key: TokenKey): Promise<CachedToken | undefined> {
    if (!this.late) return super.read(key);
    this.late = false;
    throw new StoreUnavailable("TIMEOUT");
  }
}

it("asks a store that was too busy to answer in time once more, before it asks Azure", async () => {
  await using emulator = await startEmulator({ limits: false });
  const { azure, request } = await azureOn(emulator);
  const store = new LateStore(systemClock, 10);
  const tokens = new TokenService(store, azure, systemClock, recordEvents(), minRemainingMs);
  const first = await tokens.issue(request, {});
  store.late = true;
  expect(await tokens.issue(request, {})).toMatchObject({ token: first.token, source: "cache" });
  expect(emulator.worked("issueAccessToken")).toBe(1);
  await tokens[Symbol.asyncDispose]();
  await azure[Symbol.asyncDispose]();
});
