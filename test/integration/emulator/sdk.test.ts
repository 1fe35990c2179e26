/** The official SDK's six methods against the emulator, over http with a key and over https with an Entra credential. */
import { Agent } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import type { TokenCredential } from "@azure/core-auth";
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from "jose";
import { startEmulator, type Emulator } from "../../../emulator/emulator";

const clientId = "11111111-2222-4333-8444-555555555555";
const userObjectId = "99999999-8888-4777-8666-555555555555";

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ tls: true });
});
afterAll(() => emulator[Symbol.asyncDispose]());

const credential: TokenCredential = {
  getToken: async () => ({ token: await emulator.entra.token(), expiresOnTimestamp: Date.now() + 3_600_000 }),
};

function overTls(identity: TokenCredential = credential): CommunicationIdentityClient {
  const { url = "", ca = "" } = emulator.https ?? {};
  return new CommunicationIdentityClient(url, identity, {
    agent: new Agent({ ca }),
    retryOptions: { maxRetries: 0 },
  });
}

describe.each([
  [
    "over http with a connection string",
    () => new CommunicationIdentityClient(emulator.connectionString, { allowInsecureConnection: true }),
  ],
  [
    "over http with the secondary key",
    () =>
      new CommunicationIdentityClient(emulator.secondaryConnectionString, { allowInsecureConnection: true }),
  ],
  ["over https with a TokenCredential", () => overTls()],
])("CommunicationIdentityClient %s", (_how, connect) => {
  it("creates, issues, revokes, deletes and exchanges", async () => {
    const client = connect();
    const user = await client.createUser();
    expect(user.communicationUserId).toMatch(/^8:acs:/);

    const { token, expiresOn } = await client.getToken(user, ["chat", "voip"], { tokenExpiresInMinutes: 60 });
    expect(Math.abs(expiresOn.getTime() - Date.now() - 3_600_000)).toBeLessThan(10_000);
    expect(emulator.introspect(token)).toMatchObject({ active: true, identityId: user.communicationUserId });

    const both = await client.createUserAndToken(["voip.join"]);
    expect(emulator.introspect(both.token)).toMatchObject({ active: true, scopes: ["voip.join"] });

    await client.revokeTokens(user);
    expect(emulator.introspect(token)).toMatchObject({ active: false, reason: "revoked" });
    const next = await client.getToken(user, ["chat"]);
    expect(emulator.introspect(next.token)).toMatchObject({ active: true });

    const teamsUserAadToken = await emulator.entra.teamsToken({ clientId, userObjectId });
    const teams = await client.getTokenForTeamsUser({ teamsUserAadToken, clientId, userObjectId });
    expect(emulator.introspect(teams.token)).toMatchObject({ active: true });

    await client.deleteUser(user);
    expect(emulator.introspect(next.token)).toMatchObject({ active: false, reason: "deleted" });
    await expect(client.getToken(user, ["chat"])).rejects.toMatchObject({
      statusCode: 404,
      details: { error: { message: "Provided identity doesn't exist." } },
    });
    await client.deleteUser(both.user);
  });
});

it("issues tokens that the ACS client credential takes, and that verify with the published keys", async () => {
  const client = new CommunicationIdentityClient(emulator.connectionString, {
    allowInsecureConnection: true,
  });
  const { token, expiresOn } = await client.createUserAndToken(["chat"]);
  const accessToken = await new AzureCommunicationTokenCredential(token).getToken();
  expect(accessToken.token).toBe(token);
  expect(Math.floor(expiresOn.getTime() / 1000) * 1000).toBe(accessToken.expiresOnTimestamp);
  const keys = (await (await fetch(`${emulator.url}/_emulator/jwks`)).json()) as JSONWebKeySet;
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys));
  expect(protectedHeader.alg).toBe("RS256");
  expect(payload).toMatchObject({
    acsScope: "chat",
    resourceId: emulator.resourceId,
    resourceLocation: "emulator",
  });
});

it("issues a different token each time, also within a second", async () => {
  const client = new CommunicationIdentityClient(emulator.connectionString, {
    allowInsecureConnection: true,
  });
  const user = await client.createUser();
  const tokens = await Promise.all(Array.from({ length: 20 }, () => client.getToken(user, ["chat"])));
  expect(new Set(tokens.map(({ token }) => token)).size).toBe(20);
});

it.each([
  ["expired", () => emulator.entra.token({ expiresInSeconds: -1 })],
  ["for another audience", () => emulator.entra.token({ audience: "https://graph.microsoft.com" })],
  ["garbage", () => Promise.resolve("garbage")],
  ["an ACS token", async () => (await overTls().createUserAndToken(["chat"])).token],
])("refuses an Entra token that is %s", async (_what, make) => {
  const client = overTls({
    getToken: async () => ({ token: await make(), expiresOnTimestamp: Date.now() + 3_600_000 }),
  });
  await expect(client.createUser()).rejects.toMatchObject({ statusCode: 401, code: "Denied" });
});

it("challenges for claims, which the SDK answers with a token that has them", async () => {
  const asked: (string | undefined)[] = [];
  const client = overTls({
    getToken: async (_scopes, options) => {
      const claims = (options as { claims?: string } | undefined)?.claims;
      asked.push(claims);
      const token = await emulator.entra.token(claims === undefined ? {} : { claims });
      return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  });
  emulator.entra.requiredClaims = '{"access_token":{"nbf":{"essential":true}}}';
  try {
    await client.createUser();
  } finally {
    emulator.entra.requiredClaims = undefined;
  }
  expect(asked).toEqual([undefined, '{"access_token":{"nbf":{"essential":true}}}']);
});

it.each([
  ["garbage", () => Promise.resolve("x"), clientId, userObjectId, 401, "InvalidAccessToken"],
  [
    "of another user",
    () => emulator.entra.teamsToken({ clientId, userObjectId: clientId }),
    clientId,
    userObjectId,
    400,
    "ValidationError",
  ],
  [
    "of another application",
    () => emulator.entra.teamsToken({ clientId: userObjectId, userObjectId }),
    clientId,
    userObjectId,
    400,
    "ValidationError",
  ],
  [
    "with an id that is no GUID",
    () => emulator.entra.teamsToken({ clientId, userObjectId }),
    "x",
    userObjectId,
    400,
    "ValidationError",
  ],
])("refuses to exchange a Teams token %s", async (_what, make, appId, userId, statusCode, code) => {
  const client = new CommunicationIdentityClient(emulator.connectionString, {
    allowInsecureConnection: true,
  });
  const teamsUserAadToken = await make();
  await expect(
    client.getTokenForTeamsUser({ teamsUserAadToken, clientId: appId, userObjectId: userId }),
  ).rejects.toMatchObject({ statusCode, code });
});
