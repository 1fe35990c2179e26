/** What counts as trouble of ACS is told apart from refusals and callers that leave, through the real SDK and gateway. */
import { afterEach, expect, it, jest } from "@jest/globals";
import type { FaultKind } from "../../../emulator/emulator";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { advanceClocks, stopClocks } from "../../support/stopped-clocks";
import { until } from "../../support/until";
import { startWorld } from "../../support/world";

afterEach(() => {
  jest.useRealTimers();
});

it("pauses the calls of an operation that keeps failing, whatever the failure, and serves the rest as ever", async () => {
  const faults: [string, FaultKind][] = [
    ["answers 500", { kind: "status", status: 500 }],
    ["cuts connections", { kind: "resetBefore" }],
    ["answers with another success", { kind: "wrongSuccess", status: 201 }],
    ["answers without an expiry", { kind: "missingExpiresOn" }],
    ["hangs", { kind: "hang" }],
  ];
  await using world = await startWorld({ environment: { ACS_TIMEOUT_MS: "1000" } });
  stopClocks();
  const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async (client: typeof world.client, expiresInMinutes: number) =>
    client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"], expiresInMinutes });
  const cached = (await issue(world.client, 60)).data?.issueToken.accessToken;
  for (const [how, fault] of faults) {
    const { client } = await world.addGateway();
    const told = (state: string) =>
      world.events.lines.filter((line) => line.includes("circuit") && line.includes(`"state":"${state}"`))
        .length;
    const [opened, closed] = [told("open"), told("closed")];
    world.emulator.faults.add({ ...fault, operation: "issueAccessToken" });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => issue(client, 100 + index)));
    expect([how, new Set(answers.map(({ errors }) => errors?.[0]?.extensions.code))]).toEqual([
      how,
      new Set(["UPSTREAM_UNAVAILABLE"]),
    ]);
    expect([how, told("open")]).toEqual([how, opened + 1]);
    world.emulator.faults.clear();
    // Nothing is asked of it before its pause is over.
    const asked = world.emulator.counts.snapshot().operations.issueAccessToken?.received;
    expect([how, (await issue(client, 90)).errors?.[0]?.extensions.code]).toEqual([
      how,
      "UPSTREAM_UNAVAILABLE",
    ]);
    expect([how, world.emulator.counts.snapshot().operations.issueAccessToken?.received]).toEqual([
      how,
      asked,
    ]);
    advanceClocks(1_000);
    expect([how, (await issue(client, 90)).errors]).toEqual([how, undefined]);
    expect([how, told("closed")]).toEqual([how, closed + 1]);
  }
  // What is cached was never in danger.
  expect((await issue(world.client, 60)).data?.issueToken.accessToken).toEqual({
    ...cached,
    source: "CACHE",
  });
}, 60_000);

it("is asked as before when it refuses for good reason, or callers give up", async () => {
  await using world = await startWorld({ environment: { ACS_TIMEOUT_MS: "3000" } });
  const { client, emulator } = world;
  const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
  let minutes = 60;
  const issue = () =>
    client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"], expiresInMinutes: minutes++ });
  const faulted = () => emulator.counts.snapshot().operations.issueAccessToken?.faulted ?? 0;
  emulator.faults.add({ kind: "status", status: 403, operation: "issueAccessToken" });
  for (let index = 0; index < 10; index++)
    expect((await issue()).errors?.[0]?.extensions.code).toBe("UPSTREAM_REJECTED");
  emulator.faults.clear();
  emulator.faults.add({ kind: "hang", operation: "issueAccessToken" });
  const before = faulted();
  const callers = Array.from({ length: 10 }, (_, index) => {
    const caller = new AbortController();
    const query = `mutation { issueToken(input: {identityId: "${identityId}", scopes: [CHAT], expiresInMinutes: ${200 + index}}) { accessToken { token } } }`;
    const answer = fetch(world.gateways[0]!.url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "a-development-key-for-tests" },
      body: JSON.stringify({ query }),
      signal: caller.signal,
    }).catch(() => undefined);
    return { caller, answer };
  });
  await until(() => faulted() - before === 10);
  for (const { caller } of callers) caller.abort();
  await Promise.all(callers.map(({ answer }) => answer));
  emulator.faults.clear();
  expect((await issue()).errors).toBeUndefined();
  expect(world.events.lines.join()).not.toContain('"state":"open"');
});
