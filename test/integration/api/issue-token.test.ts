/** issueToken: from the cache when that is right, from Azure when it is not. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RefreshTokenDocument,
  type TokenScope,
} from "../../../operations/generated/operations";
import { startWorld, type World } from "../../support/world";
import { stores } from "./stores";

describe.each(stores)("issueToken, cached %s", (_where, options) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ ...options, gateways: options.redis ? 2 : 1 });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const newIdentity = async () =>
    (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async (
    identityId: string,
    scopes: TokenScope[] = ["CHAT"],
    expiresInMinutes = 1440,
    gateway = 0,
  ) => {
    const client = world.gateways[gateway]?.client ?? world.client;
    return (await client.data(IssueTokenDocument, { identityId, scopes, expiresInMinutes })).issueToken;
  };

  it("issues a token that the service accepts, with the scopes and lifetime asked for", async () => {
    const id = await newIdentity();
    const { identity, accessToken } = await issue(id, ["VOIP_JOIN", "CHAT_JOIN_LIMITED"], 60);
    expect(identity.id).toBe(id);
    expect(accessToken).toMatchObject({ source: "ISSUED", scopes: ["CHAT_JOIN_LIMITED", "VOIP_JOIN"] });
    expect(Math.abs(Date.parse(accessToken.expiresOn) - world.clock.now() - 3_600_000)).toBeLessThanOrEqual(
      1_000,
    );
    expect(world.emulator.introspect(accessToken.token)).toMatchObject({
      active: true,
      identityId: id,
      scopes: ["chat.join.limited", "voip.join"],
    });
  });

  it("answers again from the cache, on every gateway, without asking Azure", async () => {
    const id = await newIdentity();
    const first = await issue(id);
    const calls = world.emulator.worked("issueAccessToken");
    for (let gateway = 0; gateway < world.gateways.length; gateway++) {
      const { accessToken } = await issue(id, ["CHAT"], 1440, gateway);
      expect(accessToken).toEqual({ ...first.accessToken, source: "CACHE" });
    }
    expect(world.emulator.worked("issueAccessToken")).toBe(calls);
  });

  it("takes scopes as a set", async () => {
    const id = await newIdentity();
    const { accessToken } = await issue(id, ["VOIP", "CHAT"]);
    for (const scopes of [
      ["CHAT", "VOIP"],
      ["CHAT", "VOIP", "CHAT"],
    ] as TokenScope[][]) {
      expect((await issue(id, scopes)).accessToken).toEqual({ ...accessToken, source: "CACHE" });
    }
  });

  it("never answers with more scopes or another lifetime than asked for", async () => {
    const id = await newIdentity();
    const tokens = [
      await issue(id, ["CHAT", "VOIP"]),
      await issue(id, ["CHAT"]),
      await issue(id, ["CHAT_JOIN"]),
      await issue(id, ["CHAT"], 60),
      await issue(await newIdentity(), ["CHAT"]),
    ];
    expect(tokens.map(({ accessToken }) => accessToken.source)).toEqual(Array(5).fill("ISSUED"));
    expect(new Set(tokens.map(({ accessToken }) => accessToken.token)).size).toBe(5);
  });

  it("issues anew when asked to refresh, and caches what it then got", async () => {
    const id = await newIdentity();
    const { accessToken: old } = await issue(id, ["VOIP"]);
    const { accessToken: forced } = (
      await world.client.data(RefreshTokenDocument, { identityId: id, scopes: ["VOIP"] })
    ).issueToken;
    expect(forced.source).toBe("ISSUED");
    expect(forced.token).not.toBe(old.token);
    expect((await issue(id, ["VOIP"])).accessToken).toMatchObject({ token: forced.token, source: "CACHE" });
  });

  it("issues anew when too little of the cached token's life is left", async () => {
    const id = await newIdentity();
    const { accessToken: first } = await issue(id, ["CHAT"], 60);
    world.clock.advanceBy({ minutes: 44 });
    expect((await issue(id, ["CHAT"], 60)).accessToken).toMatchObject({
      token: first.token,
      source: "CACHE",
    });
    world.clock.advanceBy({ minutes: 2 });
    const { accessToken: second } = await issue(id, ["CHAT"], 60);
    expect(second.source).toBe("ISSUED");
    expect(Date.parse(second.expiresOn) - world.clock.now()).toBeGreaterThan(59 * 60_000);
    expect((await issue(id, ["CHAT"], 60)).accessToken).toMatchObject({
      token: second.token,
      source: "CACHE",
    });
  });

  it("asks Azure once for any number of concurrent requests, on any number of gateways", async () => {
    const id = await newIdentity();
    world.emulator.faults.add({ kind: "latency", latencyMs: 100, operation: "issueAccessToken", times: 1 });
    const calls = world.emulator.worked("issueAccessToken");
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) => issue(id, ["CHAT"], 1440, index % world.gateways.length)),
    );
    expect(new Set(answers.map(({ accessToken }) => accessToken.token)).size).toBe(1);
    expect(world.emulator.worked("issueAccessToken")).toBe(calls + 1);
  });

  it("lists what is cached for an identity, and never the token", async () => {
    const id = await newIdentity();
    const { accessToken } = await issue(id, ["VOIP", "CHAT"]);
    await issue(id, ["CHAT_JOIN"], 60);
    const answer = await world.client.data(IdentityDocument, { identityId: id });
    expect(answer.identity?.cachedTokens).toHaveLength(2);
    expect(answer.identity?.cachedTokens).toContainEqual({
      scopes: ["CHAT", "VOIP"],
      expiresOn: accessToken.expiresOn,
    });
    expect(JSON.stringify(answer)).not.toContain(accessToken.token);
  });

  it("does not serve a token that was issued with another access key", async () => {
    const id = await newIdentity();
    const { accessToken: old } = await issue(id);
    const other = await world.addGateway({ ACS_CONNECTION_STRING: world.emulator.secondaryConnectionString });
    const { accessToken } = (
      await other.client.data(IssueTokenDocument, { identityId: id, scopes: ["CHAT"] })
    ).issueToken;
    expect(accessToken.source).toBe("ISSUED");
    expect(accessToken.token).not.toBe(old.token);
    const { identity } = await other.client.data(IdentityDocument, { identityId: id });
    expect(identity?.cachedTokens).toHaveLength(1);
  });
});
