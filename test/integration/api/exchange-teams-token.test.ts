/** exchangeTeamsToken: for the Teams user whose token it is, and nobody else. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { ExchangeTeamsTokenDocument } from "../../../operations/generated/operations";
import { startWorld, type World } from "../../support/world";

const clientId = "11111111-2222-4333-8444-555555555555";
const userObjectId = "99999999-8888-4777-8666-555555555555";
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

it("exchanges the token of a Teams user for one that lives as long", async () => {
  const teamsUserAadToken = await world.emulator.entra.teamsToken({
    clientId,
    userObjectId,
    expiresInSeconds: 4_000,
  });
  const input = { teamsUserAadToken, clientId, userObjectId };
  const { accessToken } = (await world.client.data(ExchangeTeamsTokenDocument, input)).exchangeTeamsToken;
  expect(world.emulator.introspect(accessToken.token)).toMatchObject({ active: true });
  const left = Date.parse(accessToken.expiresOn) - world.clock.now();
  expect(left).toBeGreaterThan(3_990_000);
  expect(left).toBeLessThanOrEqual(4_000_000);
});

it.each([
  ["garbage", () => Promise.resolve("garbage"), clientId, userObjectId, "input.teamsUserAadToken"],
  [
    "expired",
    () => world.emulator.entra.teamsToken({ clientId, userObjectId, expiresInSeconds: -1 }),
    clientId,
    userObjectId,
    "input.teamsUserAadToken",
  ],
  [
    "of another user",
    () => world.emulator.entra.teamsToken({ clientId, userObjectId: clientId }),
    clientId,
    userObjectId,
    "input.userObjectId",
  ],
  [
    "of another application",
    () => world.emulator.entra.teamsToken({ clientId: userObjectId, userObjectId }),
    clientId,
    userObjectId,
    "input.clientId",
  ],
  [
    "with a client id that is no GUID",
    () => world.emulator.entra.teamsToken({ clientId, userObjectId }),
    "app",
    userObjectId,
    "input.clientId",
  ],
])("refuses a token that is %s, naming the argument", async (_what, make, appId, userId, argument) => {
  const input = { teamsUserAadToken: await make(), clientId: appId, userObjectId: userId };
  const error = await world.client.error(ExchangeTeamsTokenDocument, input);
  expect(error).toMatchObject({ status: 400, extensions: { code: "BAD_USER_INPUT", argument } });
});
