/** The Azure room with an Entra credential over TLS, its bound on connections, and what it tells. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { TokenCredential } from "@azure/core-auth";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { AcsIdentityProvider } from "../../../src/services/azure/acs-identity-provider";
import { ResourceRouter } from "../../../src/services/azure/resource-router";
import { systemClock } from "../../../src/services/clock";
import { resourceOf } from "../../../src/services/identities/identity-id";
import { recordEvents } from "../../support/recorded-events";
import { until } from "../../support/until";

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ tls: true, limits: false });
});
afterAll(async () => {
  await emulator[Symbol.asyncDispose]();
});

const entra: TokenCredential = {
  getToken: async () => ({ token: await emulator.entra.token(), expiresOnTimestamp: Date.now() + 3_600_000 }),
};

function provider(credential: TokenCredential | { accessKey: string }, maxSockets = 5, deadlineMs = 10_000) {
  const { url = "", ca = "" } = emulator.https ?? {};
  const events = recordEvents();
  const options = { endpoint: url, credential, ca, deadlineMs, maxSockets };
  return { azure: new AcsIdentityProvider(options, systemClock, events), events };
}

it("does every operation as an application of Entra, over TLS", async () => {
  const { azure } = provider(entra);
  const { identityId } = await azure.createIdentity(undefined, {});
  const { token } = await azure.issueToken(identityId, ["chat"], 60, {});
  expect(emulator.introspect(token)).toMatchObject({ active: true, identityId });
  await azure.revokeTokens(identityId, {});
  expect(emulator.introspect(token)).toMatchObject({ active: false });
  await azure.deleteIdentity(identityId, {});
  await azure.deleteIdentity(identityId, {});
  await azure[Symbol.asyncDispose]();
});

it("tells an Entra credential from an access key, and one key from another", () => {
  const [key] = /accesskey=(.*)$/.exec(emulator.connectionString)?.slice(1) ?? [];
  const fingerprints = [
    provider(entra).azure.credentialFingerprint,
    provider({ accessKey: key ?? "" }).azure.credentialFingerprint,
    provider({ accessKey: "b3RoZXI=" }).azure.credentialFingerprint,
  ];
  expect(new Set(fingerprints).size).toBe(3);
  for (const fingerprint of fingerprints) expect(key).not.toContain(fingerprint);
});

it("says that the gateway is refused when its credential is, without saying why to callers", async () => {
  const { azure, events } = provider({ accessKey: "b3RoZXI=" });
  await expect(azure.createIdentity(undefined, {})).rejects.toMatchObject({ code: "UPSTREAM_REJECTED" });
  expect(events.lines.join()).toContain('"status":401,"code":"Denied"');
});

it("opens no more connections to Azure than it may, and keeps them", async () => {
  const { azure } = provider(entra, 3);
  const { identityId } = await azure.createIdentity(undefined, {});
  const before = emulator.connections();
  await Promise.all(Array.from({ length: 50 }, () => azure.issueToken(identityId, ["chat"], 60, {})));
  expect(emulator.connections() - before).toBeLessThanOrEqual(2);
  await azure[Symbol.asyncDispose]();
});

it("has a connection before the first call, which counts as no call, and uses it", async () => {
  const { azure } = provider(entra);
  emulator.counts.reset();
  const before = emulator.connections();
  await azure.preconnect();
  expect(emulator.connections() - before).toBe(1);
  expect(emulator.counts.snapshot().operations).toEqual({});
  const { identityId } = await azure.createIdentity(undefined, {});
  await azure.issueToken(identityId, ["chat"], 60, {});
  expect(emulator.connections() - before).toBe(1);
  await azure[Symbol.asyncDispose]();
});

it("is not troubled by an Azure that cannot be connected to beforehand, or not be trusted", async () => {
  const { ca = "" } = emulator.https ?? {};
  const options = {
    endpoint: "https://127.0.0.1:1",
    credential: entra,
    ca,
    deadlineMs: 1_000,
    maxSockets: 1,
  };
  const unreachable = new AcsIdentityProvider(options, systemClock, recordEvents());
  await unreachable.preconnect();
  await unreachable[Symbol.asyncDispose]();
  await unreachable.preconnect();
  const stranger = new AcsIdentityProvider(
    { ...options, endpoint: emulator.https?.url ?? "", ca: "" },
    systemClock,
    recordEvents(),
  );
  await stranger.preconnect();
  await expect(stranger.createIdentity(undefined, {})).rejects.toMatchObject({
    code: "UPSTREAM_UNAVAILABLE",
  });
  await stranger[Symbol.asyncDispose]();
});

it("refuses an answer whose token lives longer than asked for, or is dead already", async () => {
  await using skewed = await startEmulator({
    clock: () => Date.now() - 2 * 3_600_000,
    clockSkewMs: Infinity,
  });
  const [, accessKey = ""] = /accesskey=(.*)$/.exec(skewed.connectionString) ?? [];
  const options = { endpoint: skewed.url, credential: { accessKey }, deadlineMs: 1_000, maxSockets: 1 };
  const azure = new AcsIdentityProvider(options, systemClock, recordEvents());
  const { identityId } = await azure.createIdentity(undefined, {});
  await expect(azure.issueToken(identityId, ["chat"], 60, {})).rejects.toMatchObject({
    code: "UPSTREAM_UNAVAILABLE",
  });
  const ahead = new AcsIdentityProvider(options, { now: () => Date.now() - 4 * 3_600_000 }, recordEvents());
  await expect(ahead.issueToken(identityId, ["chat"], 60, {})).rejects.toMatchObject({
    code: "UPSTREAM_UNAVAILABLE",
  });
});

it("keeps its deadlines while memory is being collected", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { azure } = provider(entra, 5, 2_500);
  const { identityId } = await azure.createIdentity(undefined, {});
  emulator.faults.add({ kind: "hang", operation: "issueAccessToken", times: 1 });
  const issuing = azure.issueToken(identityId, ["chat"], 60, {});
  await until(() => emulator.counts.snapshot().operations.issueAccessToken?.faulted === 1);
  collect();
  // The first attempt, whose answer never comes, ends in time for a second: else there is no token.
  const issued = await issuing;
  expect(issued.token).toMatch(/^eyJ/);
  await azure[Symbol.asyncDispose]();
});

it("connects to each resource beforehand, as an application of Entra, and ends all connections", async () => {
  const idOf = (index: number) => `0e0ac5e0-0000-4000-8000-00000000000${index}`;
  const key = Buffer.alloc(48, 1).toString("base64");
  const resource = (index: number) => ({ id: idOf(index), primaryKey: key, secondaryKey: key });
  await using one = await startEmulator({ tls: true, limits: false, resources: [resource(1)] });
  await using two = await startEmulator({
    tls: true,
    limits: false,
    resources: [resource(2)],
    entra: one.entra,
  });
  const emulators = [one, two];
  const credential: TokenCredential = {
    getToken: async () => ({ token: await one.entra.token(), expiresOnTimestamp: Date.now() + 3_600_000 }),
  };
  const router = new ResourceRouter(
    emulators.map(({ https, resourceId }) => {
      const { url = "", ca = "" } = https ?? {};
      const options = { endpoint: url, credential, ca, resourceId, deadlineMs: 10_000, maxSockets: 4 };
      const provider = new AcsIdentityProvider(options, systemClock, recordEvents());
      return { name: provider.name, resourceId, weight: 1, provider };
    }),
    () => 0,
  );
  await router.preconnect();
  expect(emulators.map((each) => each.connections())).toEqual([1, 1]);
  const ids: string[] = [];
  for (let made = 0; made < 2; made++) ids.push((await router.createIdentity(undefined, {})).identityId);
  expect(ids.map(resourceOf)).toEqual([idOf(1), idOf(2)]);
  expect(emulators.map((each) => each.connections())).toEqual([1, 1]);
  expect(new Set(ids.map((id) => router.credentialOf(id))).size).toBe(2);
  expect(router.credentialOf("8:acs:99999999-0000-4000-8000-000000000009_x")).toBe("none");
  await router[Symbol.asyncDispose]();
});
