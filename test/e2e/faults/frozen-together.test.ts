/** A gateway and its primary that were frozen together, and wake up together in a world that has gone on without them. */
import { expect, it } from "@jest/globals";
import { startEmulator } from "../../../emulator/emulator";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { startGatewayProcess, type GatewayProcess } from "../../support/gateway-process";
import { startSentinel } from "../../support/redis-sentinel";
import { until } from "../../support/until";

it("serves no token that was revoked meanwhile through the primary's successor", async () => {
  await using redis = await startSentinel();
  await using emulator = await startEmulator({ limits: false });
  const environment = { ACS_CONNECTION_STRING: emulator.connectionString, REDIS_URL: redis.url };
  await using frozen = await startGatewayProcess(environment);
  await using awake = await startGatewayProcess(environment);
  const identityId = (await awake.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async ({ client }: GatewayProcess) =>
    (await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken;
  await issue(frozen);
  expect((await issue(frozen)).source).toBe("CACHE");

  const [primary] = await redis.primaries();
  frozen.pause();
  primary?.pause();
  await until(async () => {
    const [now] = await redis.primaries();
    return now !== undefined && now !== primary;
  }, 30_000);
  await until(async () => !(await awake.client.send(RevokeTokensDocument, { identityId })).errors, 30_000);
  // These wait in the frozen gateway's socket, and have begun after the revocation was answered.
  const answers = Promise.all(Array.from({ length: 20 }, () => issue(frozen)));
  frozen.resume();
  primary?.resume();
  const dead = (await answers).filter(({ token }) => !emulator.introspect(token).active);
  expect(dead).toEqual([]);
}, 90_000);
