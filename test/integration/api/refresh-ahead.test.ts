/** A hot user never waits for Azure: tokens are renewed in the background before they are too old to be served. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { keepMs, renewalDue, renewalThresholdMs } from "../../../src/services/tokens/token-lifetime";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

const where = [
  ["cached in the process", { gateways: 1 }],
  ["cached in Redis, on three gateways", { gateways: 3, redis: true }],
] as const;

async function hotUser(world: World) {
  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async (gateway = 0) => {
    const variables = { identityId, scopes: ["CHAT" as const], expiresInMinutes: 1440 };
    const client = world.gateways[gateway % world.gateways.length]!.client;
    return (await client.data(IssueTokenDocument, variables)).issueToken.accessToken;
  };
  return { identityId, issue, first: await issue() };
}

const issued = (world: World) => world.emulator.worked("issueAccessToken");

it.each(where)("leaves a token with more than a quarter of its life alone, %s", async (_where, options) => {
  await using world = await startWorld(options);
  const { issue } = await hotUser(world);
  world.clock.advanceBy({ minutes: 1440 * 0.74 });
  for (let index = 0; index < 10; index++) expect((await issue(index)).source).toBe("CACHE");
  expect(issued(world)).toBe(1);
});

it.each(where)(
  "renews a token with less than a quarter of its life once, while everybody is served the old one, %s",
  async (_where, options) => {
    await using world = await startWorld(options);
    const { issue, first } = await hotUser(world);
    world.clock.advanceBy({ minutes: 1440 * 0.78 });
    world.emulator.faults.add({ kind: "latency", latencyMs: 2_000, times: 1 });
    const hits = await Promise.all(Array.from({ length: 60 }, (_, index) => issue(index)));
    expect(new Set(hits.map(({ token }) => token))).toEqual(new Set([first.token]));
    expect(hits.every(({ source }) => source === "CACHE")).toBe(true);
    await until(async () => (await issue()).token !== first.token);
    const renewed = await issue(1);
    expect(renewed.source).toBe("CACHE");
    expect(world.emulator.introspect(renewed.token)).toMatchObject({ active: true });
    for (let index = 0; index < 10; index++) expect((await issue(index)).token).toBe(renewed.token);
    expect(issued(world)).toBe(2);
  },
);

it("goes on serving the old token while Azure is away, and does not ask for each hit", async () => {
  await using world = await startWorld();
  const { issue, first } = await hotUser(world);
  world.clock.advanceBy({ minutes: 1440 * 0.78 });
  world.emulator.faults.add({ kind: "status", status: 403, operation: "issueAccessToken" });
  for (let index = 0; index < 50; index++) {
    expect(await issue()).toMatchObject({ token: first.token, source: "CACHE" });
  }
  await until(() => Promise.resolve(world.events.lines.some((line) => line.includes('"outcome":"failed"'))));
  await issue();
  expect(world.events.lines.filter((line) => line.includes("token renewed ahead"))).toHaveLength(1);
});

it("brings no revoked token back when a revocation overtakes the renewal", async () => {
  await using world = await startWorld({ gateways: 2, redis: true });
  const { identityId, issue } = await hotUser(world);
  world.clock.advanceBy({ minutes: 1440 * 0.78 });
  world.emulator.faults.add({ kind: "answerLate", latencyMs: 400, operation: "issueAccessToken", times: 1 });
  await issue();
  await until(() => Promise.resolve(issued(world) === 2));
  await world.gateways[1]!.client.data(RevokeTokensDocument, { identityId });
  for (let index = 0; index < 20; index++) {
    expect(world.emulator.introspect((await issue(index)).token)).toMatchObject({ active: true });
  }
});

it("never serves a token with less than the minimum of its life left, however busy its user", async () => {
  await using world = await startWorld();
  const { issue, first } = await hotUser(world);
  world.clock.advanceBy({ minutes: 1440 - 15 + 0.01 });
  expect(await issue()).toMatchObject({ source: "ISSUED" });
  expect((await issue()).token).not.toBe(first.token);
});

it("has a threshold between the minimum and the whole life, a quarter of it where there is room", () => {
  const minute = 60_000;
  expect(renewalThresholdMs(1440, 15 * minute)).toBe(360 * minute);
  fc.assert(
    fc.property(
      fc.integer({ min: 60, max: 1440 }),
      fc.integer({ min: 11, max: 59 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (life, minimum, fraction) => {
        const threshold = renewalThresholdMs(life, minimum * minute);
        expect(threshold).toBeGreaterThan(minimum * minute);
        expect(threshold).toBeLessThan(life * minute);
        expect(renewalDue(life * minute, life, minimum * minute, fraction)).toBe(false);
        expect(renewalDue(threshold, life, minimum * minute, fraction)).toBe(false);
        // Whatever its share of the spread, it is due before it is too old to be served.
        expect(renewalDue(minimum * minute, life, minimum * minute, fraction)).toBe(true);
        const now = 1_000_000;
        const kept = keepMs(now + life * minute, now, minimum * minute);
        expect(now + kept).toBeLessThanOrEqual(now + (life - minimum) * minute + 1);
      },
    ),
  );
});
