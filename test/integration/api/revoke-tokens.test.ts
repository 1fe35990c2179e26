/** revokeTokens and deleteIdentity: what was issued before is never served again. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  CreateIdentityAndTokenDocument,
  DeleteIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { startWorld, type World } from "../../support/world";
import { stores } from "./stores";

describe.each(stores)("revoking, cached %s", (_where, options) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ ...options, gateways: options.redis ? 2 : 1 });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const newIdentity = async () => {
    const { identity, accessToken } = (
      await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] })
    ).createIdentity;
    return { id: identity.id, token: accessToken?.token ?? "" };
  };
  const lastGateway = () => world.gateways.at(-1)?.client ?? world.client;
  const issue = async (identityId: string) =>
    (await lastGateway().data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken;

  it("caches the token that came with a new identity, so that its first use costs no call", async () => {
    const { id, token } = await newIdentity();
    expect(await issue(id)).toMatchObject({ token, source: "CACHE" });
  });

  it("ends the cached token at the service and in every gateway, and says until when ACS may honour it", async () => {
    const { id, token } = await newIdentity();
    const { revokeTokens } = await world.client.data(RevokeTokensDocument, { identityId: id });
    expect(revokeTokens.identity.id).toBe(id);
    expect(Date.parse(revokeTokens.effectiveBy) - world.clock.now()).toBe(15 * 60_000);
    expect(world.emulator.introspect(token)).toMatchObject({ active: false, reason: "revoked" });
    const next = await issue(id);
    expect(next.source).toBe("ISSUED");
    expect(world.emulator.introspect(next.token)).toMatchObject({ active: true });
  });

  it("leaves other identities' tokens alone", async () => {
    const [revoked, kept] = [await newIdentity(), await newIdentity()];
    await world.client.data(RevokeTokensDocument, { identityId: revoked.id });
    expect(await issue(kept.id)).toMatchObject({ token: kept.token, source: "CACHE" });
  });

  it("serves no token of an issuance that a revocation overtook", async () => {
    const { id } = await newIdentity();
    await world.client.data(RevokeTokensDocument, { identityId: id });
    world.emulator.faults.add({ kind: "latency", latencyMs: 150, operation: "revokeAccessTokens", times: 1 });
    const issuing = issue(id);
    const [{ revokeTokens }, early] = await Promise.all([
      world.client.data(RevokeTokensDocument, { identityId: id }),
      issuing,
    ]);
    expect(revokeTokens.identity.id).toBe(id);
    expect(early.token).not.toBe("");
    const late = await issue(id);
    expect(world.emulator.introspect(late.token)).toMatchObject({ active: true });
  });

  it("says that a deleted identity is not there, and deletes it again without complaint", async () => {
    const { id, token } = await newIdentity();
    for (let time = 1; time <= 2; time++) {
      expect(
        (await world.client.data(DeleteIdentityDocument, { identityId: id })).deleteIdentity.deletedId,
      ).toBe(id);
    }
    expect(world.emulator.introspect(token)).toMatchObject({ active: false, reason: "deleted" });
    const error = await lastGateway().error(IssueTokenDocument, { identityId: id, scopes: ["CHAT"] });
    expect(error).toMatchObject({
      status: 404,
      extensions: { code: "IDENTITY_NOT_FOUND", argument: "input.identityId" },
    });
    const revoking = await world.client.error(RevokeTokensDocument, { identityId: id });
    expect(revoking.extensions.code).toBe("IDENTITY_NOT_FOUND");
    expect((await world.client.data(IdentityDocument, { identityId: id })).identity?.cachedTokens).toEqual(
      [],
    );
  });

  it("caches nothing from before a revocation that Azure failed, and answers with the failure", async () => {
    const { id, token } = await newIdentity();
    world.emulator.faults.add({ kind: "status", status: 403, operation: "revokeAccessTokens", times: 1 });
    const error = await world.client.error(RevokeTokensDocument, { identityId: id });
    expect(error.extensions.code).toBe("UPSTREAM_REJECTED");
    expect(world.emulator.introspect(token)).toMatchObject({ active: true });
    expect((await issue(id)).source).toBe("ISSUED");
  });

  it("revokes although the first answer was lost", async () => {
    const { id, token } = await newIdentity();
    world.emulator.faults.add({ kind: "resetAfter", operation: "revokeAccessTokens", times: 1 });
    await world.client.data(RevokeTokensDocument, { identityId: id });
    expect(world.emulator.introspect(token)).toMatchObject({ active: false });
  });
});
