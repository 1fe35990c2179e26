/** Few connections make callers wait for each other; they say nothing against Azure, and no operation takes them all. */
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  DeleteIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

const create = async (world: World) =>
  (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
const told = ({ events }: World, state: string) =>
  events.lines.some((line) => line.includes("circuit to Azure") && line.includes(`"state":"${state}"`));

it("leaves connections to the other operations while creates hang", async () => {
  await using world = await startWorld({
    environment: { ACS_MAX_CONNECTIONS: "8", ACS_TIMEOUT_MS: "3000" },
  });
  const identityId = await create(world);
  world.emulator.faults.add({ kind: "hang", operation: "createIdentity" });
  const faulted = () => world.emulator.counts.snapshot().operations.createIdentity?.faulted;
  const hanging = Array.from({ length: 20 }, () => world.client.send(CreateIdentityDocument));
  await until(() => faulted() === 4);
  await world.client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
  await world.client.data(RevokeTokensDocument, { identityId });
  await world.client.data(DeleteIdentityDocument, { identityId });
  expect(faulted()).toBe(4);
  for (const { errors } of await Promise.all(hanging)) {
    expect(errors?.[0]?.extensions.code).toBe("UPSTREAM_UNAVAILABLE");
  }
}, 30_000);

it("does not hold it against Azure when requests wait for a free connection", async () => {
  // Each may take 1.8 s once it is sent, and the last of them waits for 2.6 before.
  await using world = await startWorld({
    environment: { ACS_MAX_CONNECTIONS: "1", ACS_TIMEOUT_MS: "4000" },
  });
  const identityId = await create(world);
  world.emulator.faults.add({ kind: "latency", latencyMs: 200, operation: "issueAccessToken" });
  const answers = await Promise.all(
    Array.from({ length: 14 }, (_, index) =>
      world.client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"], expiresInMinutes: 60 + index }),
    ),
  );
  expect(answers.flatMap(({ errors }) => errors ?? [])).toEqual([]);
  expect(world.emulator.worked("issueAccessToken")).toBe(14);
  expect(told(world, "open")).toBe(false);
});

it("hears of creates that hang at their callers' deadline, and creates again soon after they do not", async () => {
  await using world = await startWorld({
    environment: { ACS_TIMEOUT_MS: "1000", ACS_MAX_CONNECTIONS: "100" },
  });
  world.emulator.faults.add({ kind: "hang", operation: "createIdentity" });
  await Promise.all(Array.from({ length: 10 }, () => world.client.send(CreateIdentityDocument)));
  await until(() => told(world, "open"));
  world.emulator.faults.clear();
  await until(async () => (await world.client.send(CreateIdentityDocument)).errors === undefined);
  expect(told(world, "closed")).toBe(true);
}, 30_000);
