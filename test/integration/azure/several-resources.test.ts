/** Several ACS resources behind one gateway: what each does and what it does not do to the others. */
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { Redis } from "ioredis";
import { startEmulator, type Emulator, type FaultKind } from "../../../emulator/emulator";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  DeleteIdentityDocument,
  ExchangeTeamsTokenDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { resourceOf } from "../../../src/services/identities/identity-id";
import { advanceClocks, stopClocks } from "../../support/stopped-clocks";
import { until } from "../../support/until";
import { entries, startWorld, type RunningGateway, type World } from "../../support/world";

const create = async ({ client }: Pick<RunningGateway, "client">) =>
  (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
const many = async (world: World, count: number, gateway: Pick<RunningGateway, "client"> = world) => {
  const ids: string[] = [];
  for (let made = 0; made < count; made++) ids.push(await create(gateway));
  return ids;
};
/** How many of the identities each resource has. */
const spread = ({ emulators }: World, ids: readonly string[]) =>
  emulators.map(({ resourceId }) => ids.filter((id) => resourceOf(id) === resourceId).length);
const alive = ({ identities }: Emulator) => identities.list().filter(({ deleted }) => !deleted).length;
const received = ({ counts }: Emulator, operation: string) =>
  counts.snapshot().operations[operation]?.received ?? 0;
const hostOf = ({ url }: Emulator) => new URL(url).host;
const issue = (client: World["client"], identityId: string, expiresInMinutes = 60) =>
  client.send(IssueTokenDocument, { identityId, scopes: ["CHAT"], expiresInMinutes });
const codeOf = ({ errors }: Awaited<ReturnType<World["client"]["send"]>>) => errors?.[0]?.extensions.code;
/** One identity at each resource. */
const oneAtEach = async (world: World, gateway: Pick<RunningGateway, "client"> = world) => {
  const ids = await many(world, world.emulators.length, gateway);
  return world.emulators.map(({ resourceId }) => ids.find((id) => resourceOf(id) === resourceId) ?? "");
};

it("spreads new identities by weight, with and without a token, and each is its resource's from then on", async () => {
  await using world = await startWorld({
    resources: ["weight=3", "", "weight=0"],
    parts: { random: () => 0 },
  });
  const ids = await many(world, 8);
  expect(spread(world, ids)).toEqual([6, 2, 0]);
  const withToken: string[] = [];
  for (let made = 0; made < 4; made++) {
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
    const { identity, accessToken } = createIdentity;
    withToken.push(identity.id);
    const at = world.emulators.find(({ resourceId }) => resourceId === resourceOf(identity.id));
    expect(at?.introspect(accessToken?.token ?? "")).toMatchObject({ active: true, identityId: identity.id });
    // It was cached under the credential that it was made with.
    const again = await world.client.data(IssueTokenDocument, { identityId: identity.id, scopes: ["CHAT"] });
    expect(again.issueToken.accessToken).toMatchObject({ source: "CACHE", token: accessToken?.token });
  }
  expect(spread(world, withToken)).toEqual([3, 1, 0]);
  for (const identityId of ids) {
    const at = world.emulators.find(({ resourceId }) => resourceId === resourceOf(identityId));
    const { issueToken } = await world.client.data(IssueTokenDocument, { identityId, scopes: ["VOIP"] });
    expect(at?.introspect(issueToken.accessToken.token)).toMatchObject({ active: true, identityId });
    const { identity } = await world.client.data(IdentityDocument, { identityId });
    expect(identity?.cachedTokens).toHaveLength(1);
    await world.client.data(RevokeTokensDocument, { identityId });
    expect(at?.introspect(issueToken.accessToken.token)).toMatchObject({ active: false, reason: "revoked" });
    await world.client.data(DeleteIdentityDocument, { identityId });
  }
  expect(world.emulators.map(alive)).toEqual([3, 1, 0]);
  // Nobody was asked for what is another's.
  for (const emulator of world.emulators) {
    const { operations } = emulator.counts.snapshot();
    for (const { received: all = 0, worked = 0 } of Object.values(operations)) expect(worked).toBe(all);
  }
});

it("begins somewhere else at each gateway, so that those that start together do not crowd one resource", async () => {
  const phases = [0, 0.4, 0.8];
  await using world = await startWorld({
    gateways: 3,
    resources: ["", "", ""],
    parts: { random: () => phases.shift() ?? 0 },
  });
  const firsts: string[] = [];
  for (const gateway of world.gateways) firsts.push(await create(gateway));
  expect(spread(world, firsts)).toEqual([1, 1, 1]);
});

it("knows nothing of identities of other resources, and asks nobody for them", async () => {
  await using world = await startWorld({ resources: ["", ""] });
  const identityId = "8:acs:99999999-0000-4000-8000-000000000009_somebody";
  expect(codeOf(await issue(world.client, identityId))).toBe("IDENTITY_NOT_FOUND");
  expect(codeOf(await world.client.send(RevokeTokensDocument, { identityId }))).toBe("IDENTITY_NOT_FOUND");
  expect(codeOf(await world.client.send(DeleteIdentityDocument, { identityId }))).toBe("IDENTITY_NOT_FOUND");
  for (const { counts } of world.emulators) expect(counts.snapshot().operations).toEqual({});
});

it("serves what a drained resource has, and makes nothing new there", async () => {
  await using world = await startWorld({ redis: true, resources: ["", ""] });
  const [left = "", right = ""] = await oneAtEach(world);
  const cached = await issue(world.client, left);
  const draining = await world.addGateway({
    ACS_CONNECTION_STRING: entries(world.emulators, ["weight=0", ""]),
  });
  expect(spread(world, await many(world, 6, draining))).toEqual([0, 6]);
  const again = await issue(draining.client, left);
  expect(again.data?.issueToken.accessToken).toEqual({
    ...cached.data?.issueToken.accessToken,
    source: "CACHE",
  });
  for (const id of [left, right]) expect((await issue(draining.client, id, 61)).errors).toBeUndefined();
  // With no other resource left it still makes nothing there.
  world.emulators[1]!.faults.add({ kind: "status", status: 401, operation: "createIdentity" });
  expect(codeOf(await draining.client.send(CreateIdentityDocument))).toBe("UPSTREAM_REJECTED");
  expect(spread(world, await many(world, 4))).toEqual([4, 0]);
});

describe("a resource that fails", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      resources: ["", ""],
      environment: { ACS_TIMEOUT_MS: "2000" },
      parts: { random: () => 0 },
    });
    stopClocks();
  });
  afterAll(async () => {
    jest.useRealTimers();
    await world[Symbol.asyncDispose]();
  });

  it.each([
    ["refuses with 429", { kind: "status", status: 429, headers: { "retry-after": "2" } }],
    ["refuses with 429 and does not say for how long", { kind: "status", status: 429 }],
    ["refuses the credential", { kind: "status", status: 401 }],
    ["refuses the role", { kind: "status", status: 403 }],
    ["answers 500", { kind: "status", status: 500 }],
    ["answers a gateway's page", { kind: "html502" }],
    ["cuts the connection", { kind: "resetBefore" }],
    ["hangs", { kind: "hang" }],
  ] as [string, FaultKind][])(
    "and %s sends new identities elsewhere, and hurts nobody else",
    async (_how, fault) => {
      await using gateway = await world.addGateway();
      const [bad, good] = world.emulators as [Emulator, Emulator];
      const before = alive(good);
      const [, right = ""] = await oneAtEach(world, gateway);
      bad.faults.add(fault);
      const made = await Promise.all(Array.from({ length: 20 }, () => create(gateway)));
      expect(spread(world, made)).toEqual([0, 20]);
      const asked = received(bad, "createIdentity");
      expect(spread(world, await many(world, 5, gateway))).toEqual([0, 5]);
      // It is not asked for each of them first.
      expect(received(bad, "createIdentity") - asked).toBeLessThanOrEqual(2);
      expect((await issue(gateway.client, right)).errors).toBeUndefined();
      expect(alive(good) - before).toBe(26);
      bad.faults.clear();
      // Its rest and the pause of its circuit are over.
      advanceClocks(15_000);
      expect(spread(world, await many(world, 2, gateway))).toEqual([1, 1]);
    },
  );
  it("because nobody listens there is made up for by the others, and used again when it is back", async () => {
    await using world = await startWorld({ resources: ["", "", ""] });
    const ids = await oneAtEach(world);
    await world.emulators[0]!.close();
    const made = await many(world, 12);
    const [gone, ...others] = spread(world, made);
    expect(gone).toBe(0);
    for (const each of others) expect(each).toBeGreaterThan(3);
    const [first, ...rest] = await Promise.all(ids.map((id) => issue(world.client, id)));
    expect(codeOf(first!)).toBe("UPSTREAM_UNAVAILABLE");
    expect(rest.flatMap(({ errors }) => errors ?? [])).toEqual([]);
    // What certainly was not made is no loss. What went out on a connection that was just ending may be one.
    const unknown = world.events.lines.filter((line) => line.includes("outcome is unknown"));
    expect(unknown.length).toBeLessThanOrEqual(1);
    const { id, primary, secondary } = world.emulator.identities.resource();
    await using back = await startEmulator({
      clock: () => world.clock.now(),
      port: world.emulator.port,
      resources: [{ id, primaryKey: primary.secret, secondaryKey: secondary.secret }],
    });
    // Its rest is over.
    advanceClocks(15_000);
    const ended = await many(world, 3);
    expect(spread(world, ended)).toEqual([1, 1, 1]);
    expect(alive(back)).toBe(1);
  }, 60_000);

  it("to answer is sent no more than it has connections for: who comes to a busy one is served elsewhere", async () => {
    await using world = await startWorld({
      resources: ["", ""],
      environment: { ACS_TIMEOUT_MS: "4000", ACS_MAX_CONNECTIONS: "4" },
    });
    const [bad] = world.emulators as [Emulator, Emulator];
    bad.faults.add({ kind: "hang", operation: "createIdentity" });
    const made = await Promise.all(Array.from({ length: 16 }, () => create(world)));
    expect(spread(world, made)).toEqual([0, 16]);
    expect(received(bad, "createIdentity")).toBeLessThanOrEqual(2);
  }, 30_000);

  it("with every other tells the most hopeful of their errors", async () => {
    await using world = await startWorld({ resources: ["", ""], environment: { ACS_TIMEOUT_MS: "1000" } });
    const [one, two] = world.emulators as [Emulator, Emulator];
    one.faults.add({ kind: "status", status: 401 });
    two.faults.add({ kind: "status", status: 429, headers: { "retry-after": "7" } });
    const { errors } = await world.client.send(CreateIdentityDocument);
    expect(errors?.[0]?.extensions).toMatchObject({ code: "RATE_LIMITED", retryAfterSeconds: 7 });
    two.faults.clear();
    two.faults.add({ kind: "status", status: 500, times: 1 });
    const second = await world.addGateway();
    expect(codeOf(await second.client.send(CreateIdentityDocument))).toBe("UPSTREAM_UNAVAILABLE");
  });
});

describe("an identity that a failing resource may have made", () => {
  const start = () =>
    startWorld({
      redis: true,
      gateways: 2,
      resources: ["", ""],
      environment: { ACS_TIMEOUT_MS: "2000" },
      parts: {
        random: () => 0,
        orphans: { firstRetryMs: 50, maxRetryMs: 100 },
      },
    });
  const told = ({ events }: World, text: string) => events.lines.filter((line) => line.includes(text)).length;

  it("is reported, once, and asked of another resource, never twice of the same", async () => {
    await using world = await start();
    const [bad, good] = world.emulators as [Emulator, Emulator];
    bad.faults.add({ kind: "resetAfter", operation: "createIdentity", times: 1 });
    const identityId = await create(world);
    expect(resourceOf(identityId)).toBe(good.resourceId);
    expect([received(bad, "createIdentity"), received(good, "createIdentity")]).toEqual([1, 1]);
    expect([alive(bad), alive(good)]).toEqual([1, 1]);
    expect(told(world, "outcome is unknown")).toBe(1);
  });

  it("and that it names too late is deleted there; the caller keeps the other's", async () => {
    await using world = await start();
    const [bad, good] = world.emulators as [Emulator, Emulator];
    bad.faults.add({ kind: "answerLate", latencyMs: 4_000, operation: "createIdentity", times: 1 });
    const identityId = await create(world);
    expect(resourceOf(identityId)).toBe(good.resourceId);
    // Its caller has not waited for the late answer.
    expect(alive(bad)).toBe(1);
    await until(() => told(world, "deleted an identity that no caller received") === 1);
    expect([alive(bad), alive(good)]).toEqual([0, 1]);
    expect(told(world, "outcome is unknown")).toBe(0);
  });

  it("is deleted when its token is not usable", async () => {
    await using world = await start();
    const [bad, good] = world.emulators as [Emulator, Emulator];
    bad.faults.add({ kind: "missingExpiresOn", operation: "createIdentityWithToken", times: 1 });
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
    expect(resourceOf(createIdentity.identity.id)).toBe(good.resourceId);
    await until(() => alive(bad) === 0);
    expect(alive(good)).toBe(1);
  });

  it("waits for its resource alone: orphans of the others are deleted meanwhile", async () => {
    await using world = await start();
    const [bad, good] = world.emulators as [Emulator, Emulator];
    for (const emulator of [bad, good]) {
      emulator.faults.add({ kind: "missingExpiresOn", operation: "createIdentityWithToken" });
    }
    bad.faults.add({ kind: "status", status: 500, operation: "deleteIdentity" });
    const withToken = () => world.client.send(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
    for (let asked = 0; asked < 3; asked++) expect(codeOf(await withToken())).toBe("UPSTREAM_UNAVAILABLE");
    await until(() => alive(good) === 0);
    expect(alive(bad)).toBeGreaterThan(0);
    bad.faults.clear();
    await until(() => alive(bad) === 0, 30_000);
    expect(told(world, "outcome is unknown")).toBe(0);
  }, 60_000);
});

describe("limits", () => {
  it("are each resource's own, and add up for new identities, over all replicas", async () => {
    await using world = await startWorld({
      redis: true,
      gateways: 3,
      resources: ["rate-limit=20", "rate-limit=10"],
      environment: { ACS_TIMEOUT_MS: "5000" },
    });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        world.gateways[index % 3]!.client.send(CreateIdentityDocument),
      ),
    );
    const made = answers.flatMap(({ data }) => data?.createIdentity.identity.id ?? []);
    expect(new Set(answers.map(codeOf))).toEqual(new Set([undefined, "RATE_LIMITED"]));
    expect(spread(world, made)).toEqual([20, 10]);
    const raw = new Redis(world.redis?.url ?? "");
    const lists = (await raw.keys("acsgw:rate:{*:createIdentity}")).sort();
    raw.disconnect();
    expect(lists).toEqual(
      world.emulators.map((each) => `acsgw:rate:{${hostOf(each)}:createIdentity}`).sort(),
    );
  });

  it("that one has used up are nobody else's: the other resource's identities get their tokens", async () => {
    await using world = await startWorld({
      redis: true,
      resources: ["rate-limit=10", ""],
      environment: { ACS_TIMEOUT_MS: "10000" },
    });
    const [left = "", right = ""] = await oneAtEach(world);
    const lefts = await Promise.all(
      Array.from({ length: 12 }, (_, index) => issue(world.client, left, 60 + index)),
    );
    expect(lefts.map(codeOf).filter((code) => code !== "RATE_LIMITED")).toEqual(Array(10).fill(undefined));
    const rights = await Promise.all(
      Array.from({ length: 12 }, (_, index) => issue(world.client, right, 60 + index)),
    );
    expect(rights.flatMap(({ errors }) => errors ?? [])).toEqual([]);
  });
});

it("opens the circuit of the resource that fails, and says which", async () => {
  await using world = await startWorld({ resources: ["", ""], environment: { ACS_TIMEOUT_MS: "1000" } });
  const [bad, good] = world.emulators as [Emulator, Emulator];
  const [left = "", right = ""] = await oneAtEach(world);
  bad.faults.add({ kind: "status", status: 500, operation: "issueAccessToken" });
  for (let asked = 0; asked < 6; asked++)
    expect(codeOf(await issue(world.client, left))).toBe("UPSTREAM_UNAVAILABLE");
  for (let asked = 0; asked < 6; asked++)
    expect((await issue(world.client, right, 60 + asked)).errors).toBeUndefined();
  const circuits = world.events.lines.filter((line) => line.includes("circuit to Azure"));
  expect(circuits.length).toBeGreaterThan(0);
  for (const line of circuits)
    expect(JSON.parse(line)).toMatchObject({ resource: hostOf(bad), operation: "issueToken" });
  const calls = world.events.lines
    .map(
      (line) => JSON.parse(line) as { msg: string; resource?: string; operation?: string; outcome?: string },
    )
    .filter(({ msg, operation }) => msg.startsWith("call to Azure") && operation === "issueToken");
  expect(new Set(calls.map(({ resource, outcome }) => `${resource} ${outcome}`))).toEqual(
    new Set([`${hostOf(bad)} failed`, `${hostOf(good)} ok`]),
  );
  expect(world.events.lines.join()).not.toMatch(/accesskey|the primary key/);
});

it("keeps what is cached of one resource when another's key is rotated", async () => {
  await using world = await startWorld({ redis: true, resources: ["", ""] });
  const [left = "", right = ""] = await oneAtEach(world);
  for (const id of [left, right]) await issue(world.client, id);
  const rotated = await world.addGateway({
    ACS_CONNECTION_STRING: entries(
      [
        { ...world.emulators[0]!, connectionString: world.emulators[0]!.secondaryConnectionString },
        world.emulators[1]!,
      ],
      ["", ""],
    ),
  });
  const sources = [];
  for (const id of [left, right])
    sources.push((await issue(rotated.client, id)).data?.issueToken.accessToken.source);
  expect(sources).toEqual(["ISSUED", "CACHE"]);
});

it("makes no identities at a resource whose configured id is wrong, says so, and leaves none behind", async () => {
  await using world = await startWorld({ resources: ["", ""] });
  const [one, two] = world.emulators as [Emulator, Emulator];
  const wrong = "99999999-0000-4000-8000-000000000009";
  const gateway = await world.addGateway({
    ACS_CONNECTION_STRING: entries([{ ...one, resourceId: wrong }, two], ["weight=3", ""]),
  });
  expect(spread(world, await many(world, 8, gateway))).toEqual([0, 8]);
  expect(alive(one)).toBe(0);
  expect(one.identities.list().length).toBeGreaterThan(0);
  const [mistaken] = world.events.lines.filter((line) => line.includes("another immutable id"));
  expect(JSON.parse(mistaken ?? "{}")).toMatchObject({
    level: "error",
    resource: hostOf(one),
    configured: wrong,
    named: one.resourceId,
  });
});

describe("a Teams user's token", () => {
  const clientId = "11111111-1111-4111-8111-111111111111";
  const exchange = async (world: World, user: number, client = world.client) => {
    const userObjectId = `22222222-2222-4222-8222-${String(user).padStart(12, "0")}`;
    const teamsUserAadToken = await world.emulator.entra.teamsToken({ clientId, userObjectId });
    return codeOf(
      await client.send(ExchangeTeamsTokenDocument, { teamsUserAadToken, clientId, userObjectId }),
    );
  };
  const worked = ({ emulators }: World) => emulators.map((emulator) => emulator.worked("exchangeTeamsToken"));

  it("is exchanged by the resource that is his at every gateway, by weight and never by one that is drained", async () => {
    await using world = await startWorld({ gateways: 2, resources: ["weight=3", "", "weight=0"] });
    for (const { client } of world.gateways) {
      for (let user = 0; user < 40; user++) expect(await exchange(world, user, client)).toBeUndefined();
    }
    const [one = 0, two = 0, drained] = worked(world);
    expect(drained).toBe(0);
    expect(one + two).toBe(80);
    expect(one).toBeGreaterThan(2 * two);
    expect(one % 2).toBe(0);
  });

  it.each([
    ["is down", { kind: "resetBefore" }],
    ["hangs", { kind: "hang" }],
    ["refuses for its limit", { kind: "status", status: 429, headers: { "retry-after": "30" } }],
    ["refuses the credential", { kind: "status", status: 401 }],
  ] as [string, FaultKind][])("is exchanged by another resource while his %s", async (_how, fault) => {
    await using world = await startWorld({ resources: ["", ""], environment: { ACS_TIMEOUT_MS: "1500" } });
    world.emulators[0]!.faults.add(fault);
    for (let user = 0; user < 6; user++) expect(await exchange(world, user)).toBeUndefined();
    expect(worked(world)).toEqual([0, 6]);
  });

  it("that is at fault itself is refused by the first resource, and not shown to the others", async () => {
    await using world = await startWorld({ resources: ["", ""] });
    const wrong = { teamsUserAadToken: "garbage", clientId, userObjectId: clientId };
    expect(codeOf(await world.client.send(ExchangeTeamsTokenDocument, wrong))).toBe("BAD_USER_INPUT");
    const all = world.emulators.map((each) => received(each, "exchangeTeamsToken"));
    expect(all.sort()).toEqual([0, 1]);
  });
});
