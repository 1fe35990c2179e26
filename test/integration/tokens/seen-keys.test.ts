/** A process remembers which keys it has seen a token of, and nearly no others. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { SeenKeys } from "../../../src/services/tokens/seen-keys";
import { tokenKey } from "../../../src/services/tokens/token-key";
import { tokenScopes } from "../../../src/services/tokens/token-scope";
import { startWorld, type RunningGateway } from "../../support/world";
import type { GraphqlClient } from "../../support/graphql-client";

const keys = fc.record({
  id: fc.oneof(fc.string(), fc.uuid()),
  scopes: fc.subarray([...tokenScopes], { minLength: 1 }),
  minutes: fc.integer({ min: 60, max: 1440 }),
});
type Parts = typeof keys extends fc.Arbitrary<infer T> ? T : never;
const keyOf = ({ id, scopes, minutes }: Parts) => tokenKey(id, scopes, minutes, "credential");

it("forgets none", () => {
  fc.assert(
    fc.property(fc.array(keys, { minLength: 1, maxLength: 50 }), (all) => {
      const seen = new SeenKeys();
      for (const each of all) seen.add(keyOf(each));
      for (const each of all) expect(seen.has(keyOf(each))).toBe(true);
    }),
    // Each has a table of its own.
    { numRuns: 20 },
  );
});

it("takes few for seen that were not, also with a hundred thousand in it", () => {
  const seen = new SeenKeys();
  const part = (index: number) => `8:acs:x_${index.toString(16).padStart(12, "0")}`;
  const key = (index: number) => tokenKey(part(index), ["chat", "voip"], 1440, "credential");
  for (let index = 0; index < 100_000; index++) seen.add(key(index));
  let wrong = 0;
  for (let index = 100_000; index < 200_000; index++) if (seen.has(key(index))) wrong++;
  // One in 168, if the hash were ideal.
  expect(wrong).toBeLessThan(2_000);
  expect(seen.has(tokenKey(part(1), ["chat"], 1440, "credential"))).toBe(false);
  expect(seen.has(tokenKey(part(1), ["chat", "voip"], 60, "credential"))).toBe(false);
});

it("takes others for new while nearly all of late were, and for known when they were not", () => {
  const seen = new SeenKeys();
  let id = 0;
  const meet = (count: number, hadToken: boolean | undefined) => {
    for (let index = 0; index < count; index++) seen.add(tokenKey(`${id++}`, ["chat"], 60, "c"), hadToken);
    return seen.othersAreNew;
  };
  expect(seen.othersAreNew).toBe(false);
  // A crowd that asks for one key says no more than one who does.
  for (let index = 0; index < 500; index++) seen.add(tokenKey("one", ["chat"], 60, "c"), false);
  expect(seen.othersAreNew).toBe(false);
  expect(meet(200, undefined)).toBe(false);
  expect(meet(200, false)).toBe(true);
  expect(meet(40, true)).toBe(false);
  expect(meet(10, false)).toBe(false);
});

it("lets a gateway find another's token that it has never seen", async () => {
  await using world = await startWorld({ gateways: 2, redis: true });
  const { id } = (await world.client.data(CreateIdentityDocument)).createIdentity.identity;
  const ask = async ({ client }: { readonly client: GraphqlClient }) =>
    (await client.data(IssueTokenDocument, { identityId: id, scopes: ["CHAT"] })).issueToken.accessToken;
  const [one, other] = world.gateways as [RunningGateway, RunningGateway];
  const first = await ask(one);
  expect(first.source).toBe("ISSUED");
  for (const gateway of [other, one, other])
    expect(await ask(gateway)).toEqual({ ...first, source: "CACHE" });
  expect(world.emulator.worked("issueAccessToken")).toBe(1);
});
