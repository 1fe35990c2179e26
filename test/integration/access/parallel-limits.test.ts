/** Limits hold when everything that they count arrives at the same time. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CallerLimits } from "../../../src/services/access/caller-limits";
import { connectTo } from "../../support/connect-to";
import { makeDirectoryFolder, type DirectoryFolder } from "../../support/directory-folder";
import { startRedis } from "../../support/redis-server";
import { openStream, type EventStream } from "../../support/event-stream";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { startPostgres, type PostgresServer } from "../../support/postgres-server";
import { until } from "../../support/until";
import { recordEvents } from "../../support/recorded-events";
import { startWorld, type World } from "../../support/world";

let issuer: Issuer;
const now = { clock: Date.now };
beforeAll(async () => {
  issuer = await startIssuer(() => now.clock());
});
afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
});

const issuerEntry = (fields = "") => `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} ${fields}`;

async function authorized(subject: string, claims: Record<string, unknown> = {}) {
  return { authorization: `Bearer ${await issuer.token(subject, claims)}` };
}

async function start(options: NonNullable<Parameters<typeof startWorld>[0]>): Promise<World> {
  const world = await startWorld(options);
  now.clock = () => world.clock.now();
  // A minute begins, so that a window does not end in the middle of a test.
  world.clock.advanceBy({ ms: 60_000 - (world.clock.now() % 60_000) });
  return world;
}

describe("MAX_DEVICES", () => {
  let postgres: PostgresServer;
  let folder: DirectoryFolder;
  beforeAll(async () => {
    [postgres, folder] = await Promise.all([startPostgres(), makeDirectoryFolder()]);
  }, 120_000);
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const databases = [
    ["two replicas on PostgreSQL", 2, async () => ({ DATABASE_URL: (await postgres.makeDatabase()).url })],
    ["one gateway with the embedded database", 1, () => ({ DIRECTORY_PATH: folder.path })],
  ] as const;

  it.each(databases)(
    "holds for new devices that arrive together, on %s",
    async (_where, gateways, database) => {
      await using world = await start({
        gateways,
        environment: { OIDC_ISSUERS: issuerEntry(), MAX_DEVICES: "10", ...(await database()) },
      });
      const at = async (index: number, subject: string) =>
        new GraphqlClient(world.gateways[index % gateways]!.url, await authorized(subject));
      const issue =
        "mutation ($device: String) { issueToken(input: { scopes: [CHAT], device: $device }) { identity { id } } }";
      const list = "{ viewer { identities { device } } }";
      const devicesOf = async (subject: string) => {
        const { viewer } = await (
          await at(0, subject)
        ).data<{ viewer: { identities: { device: string | null }[] } }, object>(list);
        return viewer.identities.filter(({ device }) => device !== null && device !== "").length;
      };
      const parallel = async (subject: string, devices: readonly (string | null)[]) =>
        Promise.all(
          devices.map(async (device, index) => {
            const { errors } = await (await at(index, subject)).send(issue, { device });
            return errors?.[0]?.extensions;
          }),
        );
      const labels = Array.from({ length: 29 }, (_, index) => `device-${index}`);
      const first = await parallel("alice", labels);
      expect(first.filter((error) => error === undefined)).toHaveLength(10);
      expect(first.filter((error) => error !== undefined)).toEqual(
        Array.from({ length: 19 }, () =>
          expect.objectContaining({ code: "BAD_USER_INPUT", argument: "input.device" }),
        ),
      );
      expect(await devicesOf("alice")).toBe(10);
      // The same labels again: those that exist are served, and no other is created.
      const again = await parallel("alice", labels);
      expect(again.map((error) => error === undefined)).toEqual(first.map((error) => error === undefined));
      // Each label several times at once, beside the identity without a label, which does not count.
      const repeated = await parallel("bob", [null, ...labels.slice(0, 6), ...labels.slice(0, 6), null]);
      expect(repeated).toEqual(Array.from({ length: 14 }, () => undefined));
      expect(await devicesOf("bob")).toBe(6);
      // The last four places of bob, wanted by twelve, while carol's are hers.
      const [more] = await Promise.all([
        parallel(
          "bob",
          Array.from({ length: 12 }, (_, index) => `other-${index}`),
        ),
        parallel("carol", labels),
      ]);
      expect(more.filter((error) => error === undefined)).toHaveLength(4);
      expect([await devicesOf("bob"), await devicesOf("carol")]).toEqual([10, 10]);
    },
    60_000,
  );
});

describe("streams that are opened together", () => {
  const subscription = "subscription { tokenRevoked { cause } }";
  const open = async (world: World, count: number, subject: (index: number) => string) => {
    const streams = await Promise.all(
      Array.from({ length: count }, async (_, index) =>
        openStream(
          world.gateways[index % world.gateways.length]!.url,
          await authorized(subject(index), { acs: identityOf(world, subject(index)) }),
          subscription,
        ),
      ),
    );
    return { streams, begun: streams.filter(({ begun }) => begun).length };
  };
  const identityOf = ({ emulator }: World, subject: string) => `8:acs:${emulator.resourceId}_${subject}`;
  const end = async (streams: readonly EventStream<unknown>[]) => {
    for (const stream of streams) await stream[Symbol.asyncDispose]();
  };
  const environment = (fields: Record<string, string>) => ({
    OIDC_ISSUERS: issuerEntry("identity-claim=acs"),
    ...fields,
  });

  it("are as many as a replica may have, whoever opens them, and closed ones make room", async () => {
    await using world = await start({ redis: true, environment: environment({ MAX_CONNECTIONS: "80" }) });
    const all = await open(world, 44, (index) => `user-${index}`);
    try {
      expect(all.begun).toBe(40);
      const refused = await Promise.all(all.streams.filter(({ begun }) => !begun).map((each) => each.next()));
      expect(refused.map((event) => event?.errors?.[0]?.extensions.code)).toEqual(
        Array.from({ length: 4 }, () => "RATE_LIMITED"),
      );
    } finally {
      await end(all.streams);
    }
    await until(async () => {
      const next = await open(world, 1, () => "next");
      await end(next.streams);
      return next.begun === 1;
    });
  });

  it("are twenty for a user at each replica", async () => {
    await using world = await start({ gateways: 2, redis: true, environment: environment({}) });
    const mine = await open(world, 72, () => "alice");
    const theirs = await open(world, 4, () => "bob");
    try {
      expect([mine.begun, theirs.begun]).toEqual([40, 4]);
    } finally {
      await end([...mine.streams, ...theirs.streams]);
    }
  });

  it("leave their place when they are refused after it was taken", async () => {
    await using world = await start({ environment: environment({ MAX_CONNECTIONS: "20" }) });
    for (let round = 0; round < 3; round++) {
      const foreign = await Promise.all(
        Array.from({ length: 8 }, async () =>
          openStream(
            world.client.url,
            await authorized("alice", { acs: identityOf(world, "alice") }),
            "subscription ($id: ID!) { tokenRevoked(identityId: $id) { cause } }",
            { id: identityOf(world, "bob") },
          ),
        ),
      );
      const codes = await Promise.all(
        foreign.map(async (each) => (await each.next())?.errors?.[0]?.extensions.code),
      );
      expect(codes).toEqual(Array.from({ length: 8 }, () => "FORBIDDEN"));
      await end(foreign);
    }
    const own = await open(world, 10, (index) => `user-${index}`);
    expect(own.begun).toBe(10);
    await end(own.streams);
  });
});

it("holds more busy callers than one batch of sharing has to their limits at two replicas together", async () => {
  await using redis = await startRedis();
  await using one = await connectTo(redis.url, recordEvents());
  await using other = await connectTo(redis.url, recordEvents());
  const clock = { now: () => 60_000 };
  await using first = new CallerLimits(one, clock);
  await using second = new CallerLimits(other, clock);
  const names = Array.from({ length: 1_200 }, (_, index) => `caller-${index}`);
  const take = (limits: CallerLimits) => names.filter((name) => limits.take("requests", name, 3) === 0);
  for (let count = 0; count < 3; count++) expect(take(first)).toHaveLength(names.length);
  // One request makes each busy at the other replica, which then hears of what the first one has admitted.
  expect(take(second)).toHaveLength(names.length);
  // A round that is under way may have begun before it.
  for (const limits of [first, second, second]) await limits.share();
  expect(take(second)).toEqual([]);
}, 60_000);
