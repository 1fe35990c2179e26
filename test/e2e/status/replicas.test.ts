/** Gateways on one real Redis: each status page shows all of them, and none that is gone. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { startEmulator } from "../../../emulator/emulator";
import { startGatewayProcess } from "../../support/gateway-process";
import { startRedis } from "../../support/redis-server";
import { until } from "../../support/until";
import type { World } from "../../support/world";
import { startBusyWorld, statusOf } from "../../integration/status/busy-world";

let world: World;
const replicas = async (origin: string) => (await statusOf(origin)).replicas;
const counts = (origins: readonly string[]) =>
  Promise.all(origins.map(async (origin) => (await replicas(origin)).list.length));

describe("gateways of one Redis", () => {
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("see each other, add their figures up, and show who is draining until it is gone", async () => {
    world = await startBusyWorld({ redis: true, gateways: 3 });
    const [first, second, third] = world.gateways as [
      World["gateways"][0],
      World["gateways"][0],
      World["gateways"][0],
    ];
    await until(async () => (await counts(world.gateways.map(({ origin }) => origin))).every((n) => n === 3));
    const { known, list } = await replicas(first.origin);
    expect(known).toBe("shared");
    expect(list.map(({ isSelf }) => isSelf)).toEqual([true, false, false]);
    expect(new Set(list.map(({ id }) => id)).size).toBe(3);
    expect(list.every(({ state, version }) => state === "serving" && version !== "")).toBe(true);

    // What the second does is seen at the first, in the sums of all and not in its own.
    const identityId = (await second.client.data(CreateIdentityDocument)).createIdentity.identity.id;
    await second.client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
    const isSummed = async () => {
      const { history } = await statusOf(first.origin, "?scope=fleet");
      return history.figures.issued.some((rate) => (rate ?? 0) > 0);
    };
    await until(isSummed);
    const own = await statusOf(first.origin, "?scope=own");
    expect(own.history.figures.issued.every((rate) => rate === 0)).toBe(true);

    // The third has a request to finish when it is asked to end.
    world.emulator.faults.add({ kind: "latency", latencyMs: 2_000, operation: "issueAccessToken" });
    const slow = third.client.send(IssueTokenDocument, { identityId, scopes: ["VOIP"] });
    await until(() => world.emulator.counts.snapshot().operations.issueAccessToken?.faulted === 1);
    const ended = third[Symbol.asyncDispose]();
    await until(async () => {
      const seen = await statusOf(first.origin);
      const draining = seen.replicas.list.filter(({ state }) => state === "draining");
      return draining.length === 1 && seen.concerns.some(({ text }) => text.includes("is draining"));
    });
    await slow;
    await ended;
    const endedAt = performance.now();
    await until(async () => (await counts([first.origin, second.origin])).every((n) => n === 2));
    // It has said so itself: silence alone would have taken ten seconds.
    expect(performance.now() - endedAt).toBeLessThan(5_000);
  }, 60_000);

  it("is alone while Redis is away, says so at once, and sees the others when it is back", async () => {
    world = await startBusyWorld({ redis: true, gateways: 2 });
    const { origin } = world.gateways[0]!;
    await until(async () => (await replicas(origin)).list.length === 2);
    await world.redis!.kill();
    await until(async () => {
      const { redis, replicas: seen, concerns } = await statusOf(origin);
      return (
        redis?.status === "away" &&
        seen.known === "away" &&
        seen.list.length === 1 &&
        concerns.some(({ level, text }) => level === "trouble" && text.startsWith("Redis is away"))
      );
    });
    const points = (await statusOf(origin)).history.age.length;
    await until(async () => (await statusOf(origin)).history.age.length > points);
    await world.redis!.restart();
    await until(async () => (await replicas(origin)).list.length === 2, 20_000);
    expect((await statusOf(origin)).redis).toMatchObject({ status: "ok", reason: null });
    const told = world.events.lines.filter((line) => line.includes("knows of no other gateways"));
    // Once per gateway and outage, however often they have tried meanwhile.
    expect(told.length).toBeLessThanOrEqual(4);
  }, 60_000);

  it("are not disturbed by what somebody else has put in their register", async () => {
    world = await startBusyWorld({ redis: true, gateways: 2 });
    const { origin } = world.gateways[0]!;
    await until(async () => (await replicas(origin)).list.length === 2);
    const raw = new Redis(world.redis!.url);
    try {
      const [key = ""] = await raw.keys("*replicas");
      const now = Date.now();
      const script = "<img src=x onerror=alert(1)>";
      await raw.hset(key, {
        nothing: "",
        words: "not a time at all",
        text: `${now} not JSON`,
        endless: `${now} ["h", "1", 1e999, "serving", null]`,
        old: `${now} ["h", "1", -1e300, "serving", null]`,
        long: `${now} ${JSON.stringify(["h".repeat(10_000), "1", now, "serving", null])}`,
        many: `${now} ${JSON.stringify(["h", "1", now, "serving", [[1e308], [], []]])}`,
        marked: `${now} ${JSON.stringify([script, script, now, script, [script, script, script]])}`,
      });
      await until(async () => (await replicas(origin)).list.some(({ id }) => id === "marked"));
      const { known, list } = await replicas(origin);
      expect(known).toBe("shared");
      const strangers = list.filter(({ id }) => !/^[\da-f]{8}$/.test(id));
      expect(strangers.map(({ id, state }) => [id, state]).sort()).toEqual([
        ["many", "serving"],
        ["marked", "serving"],
      ]);
      // As text, as it is: the page puts it nowhere else.
      expect(strangers.find(({ id }) => id === "marked")?.host).toBe(script);
      expect(await raw.hexists(key, "words")).toBe(0);
      await raw.set(key, "no hash");
      await until(async () => (await replicas(origin)).list.length === 2);
      expect((await replicas(origin)).known).toBe("shared");
    } finally {
      raw.disconnect();
    }
  }, 60_000);
});

it("a gateway that was killed is not shown for longer than fifteen seconds", async () => {
  await using redis = await startRedis();
  await using emulator = await startEmulator();
  const environment = { PORT: "0", REDIS_URL: redis.url, ACS_CONNECTION_STRING: emulator.connectionString };
  await using first = await startGatewayProcess(environment);
  await using second = await startGatewayProcess(environment);
  await using third = await startGatewayProcess(environment);
  const origins = [first.origin, second.origin, third.origin];
  await until(async () => (await counts(origins)).every((n) => n === 3), 15_000);
  await third.kill();
  const killedAt = performance.now();
  await until(async () => (await counts(origins.slice(0, 2))).every((n) => n === 2), 20_000);
  expect(performance.now() - killedAt).toBeLessThan(15_000);
}, 90_000);
