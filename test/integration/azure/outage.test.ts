/** While Azure is in trouble it is asked little, callers hear of it soon, and all is well again by itself. */
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

async function start() {
  const world = await startWorld({ environment: { ACS_TIMEOUT_MS: "3000" } });
  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  let minutes = 60;
  const issue = () =>
    world.client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"], expiresInMinutes: minutes++ });
  return { world, identityId, issue, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

const asked = ({ events }: World) =>
  events.lines.filter((line) => line.includes('"operation":"issueToken","attempt"')).length;
const received = ({ emulator }: World) =>
  emulator.counts.snapshot().operations.issueAccessToken?.received ?? 0;
const told = ({ events }: World, state: string) =>
  events.lines.some((line) => line.includes("circuit to Azure") && line.includes(`"state":"${state}"`));

// They wait for circuits to try again, each for its own.
it.concurrent.each([
  ["answers 500", { kind: "status", status: 500 }],
  ["cuts connections", { kind: "resetBefore" }],
  ["answers with another success", { kind: "wrongSuccess", status: 201 }],
  ["answers without an expiry", { kind: "missingExpiresOn" }],
  ["hangs", { kind: "hang" }],
] as const)(
  "is not stormed while it %s, and is asked again when it is well",
  async (_how, fault) => {
    await using on = await start();
    const { world, identityId, issue } = on;
    const cached = await issue();
    world.emulator.faults.add({ ...fault, operation: "issueAccessToken" });
    const before = asked(world);
    const first = await Promise.all(Array.from({ length: 100 }, issue));
    // Each was under way before anybody could know; none was sent again and again.
    expect(asked(world) - before).toBeLessThanOrEqual(130);
    expect(new Set(first.map(({ errors }) => errors?.[0]?.extensions.code))).toEqual(
      new Set(["UPSTREAM_UNAVAILABLE"]),
    );
    expect(told(world, "open")).toBe(true);
    const known = asked(world);
    const later = await Promise.all(Array.from({ length: 50 }, issue));
    expect(asked(world) - known).toBeLessThanOrEqual(5);
    for (const { errors } of later) expect(errors?.[0]?.extensions.code).toBe("UPSTREAM_UNAVAILABLE");
    expect(later.some(({ errors }) => Number(errors?.[0]?.extensions.retryAfterSeconds) >= 1)).toBe(true);
    // What is cached is served all the same, and a revocation has a circuit of its own.
    const again = await world.client.data(IssueTokenDocument, {
      identityId,
      scopes: ["CHAT"],
      expiresInMinutes: 60,
    });
    expect(again.issueToken.accessToken).toEqual({
      ...cached.data?.issueToken.accessToken,
      source: "CACHE",
    });
    await world.client.data(RevokeTokensDocument, { identityId });
    world.emulator.faults.clear();
    await until(async () => (await issue()).errors === undefined, 30_000);
    expect(told(world, "closed")).toBe(true);
  },
  60_000,
);

it("is asked as before when it refuses for good reason, or callers give up", async () => {
  await using on = await start();
  const { world, issue } = on;
  world.emulator.faults.add({ kind: "status", status: 403, operation: "issueAccessToken" });
  for (let index = 0; index < 30; index++)
    expect((await issue()).errors?.[0]?.extensions.code).toBe("UPSTREAM_REJECTED");
  world.emulator.faults.clear();
  world.emulator.faults.add({ kind: "latency", latencyMs: 400, operation: "issueAccessToken" });
  const before = received(world);
  const callers = Array.from({ length: 30 }, (_unused, index) => {
    const caller = new AbortController();
    const query = `mutation { issueToken(input: {identityId: "8:acs:${world.emulator.resourceId}_gone", scopes: [CHAT], expiresInMinutes: ${60 + index}}) { accessToken { token } } }`;
    const answer = fetch(world.gateways[0]!.url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "a-development-key-for-tests" },
      body: JSON.stringify({ query }),
      signal: caller.signal,
    }).catch(() => undefined);
    return { caller, answer };
  });
  await until(() => Promise.resolve(received(world) - before === 30));
  for (const { caller } of callers) caller.abort();
  await Promise.all(callers.map(({ answer }) => answer));
  world.emulator.faults.clear();
  expect((await issue()).errors).toBeUndefined();
  expect(told(world, "open")).toBe(false);
});
