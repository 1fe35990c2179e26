/** tokenRevoked: who is told of a revocation, where, and when a stream ends. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "graphql-sse";
import { Redis } from "ioredis";
import { decodeJwt } from "jose";
import {
  DeleteIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { openStream, type EventStream } from "../../support/event-stream";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { startRedis } from "../../support/redis-server";
import { startTcpProxy } from "../../support/tcp-proxy";
import { until } from "../../support/until";
import {
  developmentKey,
  encryptionKeys,
  startWorld,
  type World,
  type WorldOptions,
} from "../../support/world";

const own = "subscription { tokenRevoked { identity { id } cause revokedAt } }";
const named =
  "subscription ($id: ID!) { tokenRevoked(identityId: $id) { identity { id cachedTokens { scopes } } cause } }";
const asService = { "x-api-key": developmentKey };

interface Told {
  readonly tokenRevoked: {
    readonly identity: { readonly id: string };
    readonly cause: "REVOKED" | "IDENTITY_DELETED";
    readonly revokedAt: string;
  };
}

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
});

const environment = () => ({
  OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
});
const start = (options: WorldOptions = {}) => startWorld({ ...options, environment: environment() });

/** A user with an identity that has a token. */
async function userOf(world: World) {
  const { createIdentity } = await world.client.data<
    { createIdentity: { identity: { id: string } } },
    object
  >("mutation { createIdentity(input: { scopes: [CHAT] }) { identity { id } } }");
  const { id } = createIdentity.identity;
  const token = await issuer.token(`somebody with ${id}`, { acs: id });
  const headers = { authorization: `Bearer ${token}` };
  return { id, token, headers, client: new GraphqlClient(world.client.url, headers) };
}

const codesOf = async (stream: EventStream<Told>) =>
  (await stream.next())?.errors?.map(({ extensions }) => extensions.code);

describe.each([
  ["replicas on one Redis", { gateways: 2, redis: true }],
  ["one gateway without Redis", { gateways: 1 }],
] as const)("on %s", (_title, options) => {
  let world: World;
  beforeAll(async () => {
    world = await start(options);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("tells a user that his tokens were revoked, wherever they were, and nobody else", async () => {
    const [mine, theirs] = [await userOf(world), await userOf(world)];
    const last = world.gateways.at(-1)!;
    await using stream = await openStream<Told>(last.url, mine.headers, own);
    await using others = await openStream<Told>(last.url, theirs.headers, own);
    await mine.client.data(RevokeTokensDocument, { identityId: mine.id });
    const told = await stream.next();
    expect(told?.data?.tokenRevoked).toMatchObject({ identity: { id: mine.id }, cause: "REVOKED" });
    expect(Date.parse(told?.data?.tokenRevoked.revokedAt ?? "")).toBe(world.clock.now());
    // Theirs comes first, so mine did not come to them.
    await theirs.client.data(RevokeTokensDocument, { identityId: theirs.id });
    expect((await others.next())?.data?.tokenRevoked.identity.id).toBe(theirs.id);
  });

  it("has a new token ready for whoever asks on being told", async () => {
    const { id, headers, client } = await userOf(world);
    await using stream = await openStream<Told>(world.gateways.at(-1)!.url, headers, own);
    for (let round = 0; round < 3; round++) {
      const { issueToken: before } = await client.data(IssueTokenDocument, {
        identityId: id,
        scopes: ["CHAT"],
      });
      await world.client.data(RevokeTokensDocument, { identityId: id });
      await stream.next();
      const { issueToken: after } = await client.data(IssueTokenDocument, {
        identityId: id,
        scopes: ["CHAT"],
      });
      expect(after.accessToken.source).toBe("ISSUED");
      expect(after.accessToken.token).not.toBe(before.accessToken.token);
    }
  });

  it("ends the stream with the identity", async () => {
    const { id, headers } = await userOf(world);
    await using stream = await openStream<Told>(world.gateways.at(-1)!.url, headers, own);
    await world.client.data(DeleteIdentityDocument, { identityId: id });
    expect((await stream.next())?.data?.tokenRevoked.cause).toBe("IDENTITY_DELETED");
    expect(await stream.next()).toBeUndefined();
    expect(stream.completed).toBe(true);
  });
});

describe("a stream", () => {
  let world: World;
  beforeAll(async () => {
    world = await start({ parts: { feed: { maxMs: 3_600_000, perUser: 2 } } });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  it("is what graphql-sse's own client understands", async () => {
    const { id, headers } = await userOf(world);
    const client = createClient({ url: world.client.url, headers });
    const results = client.iterate<Told>({ query: own });
    const first = results.next();
    // The client does not tell when it is connected.
    const revoking = until(async () => {
      await world.client.data(RevokeTokensDocument, { identityId: id });
      return told;
    });
    let told = false;
    const { value } = (await first) as { value: { data: Told } };
    told = true;
    await revoking;
    expect(value.data.tokenRevoked.identity.id).toBe(id);
    client.dispose();
  });

  it("is a user's own, and a service's with the right identity:read:any", async () => {
    const [mine, theirs] = [await userOf(world), await userOf(world)];
    await using stolen = await openStream<Told>(world.client.url, mine.headers, named, { id: theirs.id });
    expect(await codesOf(stolen)).toEqual(["FORBIDDEN"]);
    await using nobody = await openStream<Told>(world.client.url, {}, own);
    expect(await codesOf(nobody)).toEqual(["UNAUTHENTICATED"]);
    await using unnamed = await openStream<Told>(world.client.url, asService, own);
    const refusal = await unnamed.next();
    expect(refusal?.errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      argument: "identityId",
    });
    await using service = await openStream<Told>(world.client.url, asService, named, { id: mine.id });
    await mine.client.data(RevokeTokensDocument, { identityId: mine.id });
    expect((await service.next())?.data?.tokenRevoked).toEqual({
      identity: { id: mine.id, cachedTokens: [] },
      cause: "REVOKED",
    });
  });

  it("gives its place back when its client goes", async () => {
    const { headers } = await userOf(world);
    const open = () => openStream<Told>(world.client.url, headers, own);
    const streams = [await open(), await open()];
    {
      await using third = await open();
      expect(await codesOf(third)).toEqual(["RATE_LIMITED"]);
    }
    await streams[0]![Symbol.asyncDispose]();
    await until(async () => {
      await using another = await open();
      const refused = another.next();
      return (
        (await Promise.race([refused, new Promise((resolve) => setTimeout(resolve, 50, "open"))])) === "open"
      );
    });
    await streams[1]![Symbol.asyncDispose]();
  });

  it("is refused to whoever does not take events, and by GET", async () => {
    const { client, headers } = await userOf(world);
    const answer = await client.send(own);
    expect(answer.status).toBe(406);
    expect(answer.errors?.[0]?.extensions.code).toBe("BAD_REQUEST");
    const url = `${world.client.url}?query=${encodeURIComponent(own)}`;
    const response = await fetch(url, { headers: { ...headers, accept: "text/event-stream" } });
    expect(await response.text()).toContain("GET requests only support query operations");
  });

  it("is as large as any other operation may be, and no larger", async () => {
    const { headers } = await userOf(world);
    const cachedTokens = "cachedTokens { scopes expiresOn } ".repeat(401);
    await using large = await openStream<Told>(
      world.client.url,
      headers,
      `subscription { tokenRevoked { identity { ${cachedTokens} } } }`,
    );
    expect((await large.next())?.errors).toHaveLength(1);
    await using two = await openStream<Told>(
      world.client.url,
      headers,
      "subscription { tokenRevoked { cause } other: tokenRevoked { cause } }",
    );
    expect(await codesOf(two)).toEqual(["GRAPHQL_VALIDATION_FAILED"]);
  });

  it("of a query is its one answer", async () => {
    await using stream = await openStream<{ viewer: object }>(
      world.client.url,
      asService,
      "{ viewer { kind } }",
    );
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(await stream.next()).toEqual({ data: { viewer: { kind: "SERVICE" } } });
    expect(await stream.next()).toBeUndefined();
    expect(stream.completed).toBe(true);
  });
});

it("ends when the caller's access token expires", async () => {
  await using world = await start();
  const { headers, token } = await userOf(world);
  const { exp = 0 } = decodeJwt(token);
  const tolerance = 5;
  world.clock.advanceBy({ ms: (exp + tolerance) * 1000 - 300 - world.clock.now() });
  await using stream = await openStream<Told>(world.client.url, headers, own);
  expect(await stream.next()).toBeUndefined();
  expect(stream.completed).toBe(true);
});

it("ends when its time is over, and when the gateway stops", async () => {
  await using world = await start({ parts: { feed: { maxMs: 300, perUser: 2 } } });
  const { headers } = await userOf(world);
  await using short = await openStream<Told>(world.client.url, headers, own);
  expect(await short.next()).toBeUndefined();
  expect(short.completed).toBe(true);
  await using stopped = await start({});
  const user = await userOf(stopped);
  await using long = await openStream<Told>(stopped.client.url, user.headers, own);
  const closing = stopped.gateways[0]![Symbol.asyncDispose]();
  expect(await long.next()).toBeUndefined();
  expect(long.completed).toBe(true);
  await closing;
});

describe("ends as soon as its credential is gone", () => {
  let world: World;
  let folder: string;
  const key = "a key of a service";
  const service = { "x-api-key": key };
  const entry = (fields: string, given = key) => `backend:${hashApiKey(given).toString("hex")} ${fields}\n`;
  const replaceKeys = async (text: string) => {
    await writeFile(join(folder, "new"), text);
    await rename(join(folder, "new"), join(folder, "keys"));
    process.emit("SIGHUP");
  };
  const full = "rights=identity:read:any+token:revoke:any";
  const canRead = async () => {
    const { data } = await new GraphqlClient(world.client.url, service).send<
      { viewer: { rights: string[] } },
      object
    >("{ viewer { rights } }");
    return data?.viewer.rights.includes("identity:read:any") ?? false;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-streams-"));
    await writeFile(join(folder, "keys"), entry(full));
    world = await startWorld({
      environment: { ...environment(), API_KEYS_FILE: join(folder, "keys") },
      parts: { feed: { recheckMs: 50 } },
    });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it.each([
    ["the key is removed", () => entry(full, "another key")],
    ["the key has lost a right", () => entry("rights=token:revoke:any")],
    ["the key has expired", () => entry(`${full} expires=2020-01-01`)],
  ])("%s", async (_what, keys) => {
    await replaceKeys(entry(full));
    await until(canRead);
    const { id } = await userOf(world);
    await using stream = await openStream<Told>(world.client.url, service, named, { id });
    await using other = await openStream<Told>(world.client.url, asService, named, { id });
    await world.client.data(RevokeTokensDocument, { identityId: id });
    expect((await stream.next())?.data?.tokenRevoked.cause).toBe("REVOKED");
    await replaceKeys(keys());
    expect(await stream.next()).toBeUndefined();
    expect(stream.completed).toBe(true);
    // Others' go on.
    await world.client.data(RevokeTokensDocument, { identityId: id });
    expect((await other.next())?.data?.tokenRevoked.cause).toBe("REVOKED");
    expect((await other.next())?.data?.tokenRevoked.cause).toBe("REVOKED");
  });

  it("its issuer has removed the key that signed it", async () => {
    const { headers } = await userOf(world);
    await using stream = await openStream<Told>(world.client.url, headers, own);
    await issuer.rotate();
    world.clock.advanceBy({ minutes: 11 });
    expect(await stream.next()).toBeUndefined();
    expect(stream.completed).toBe(true);
  });
});

it("sends no event when the token has expired meanwhile by the gateway's clock", async () => {
  await using world = await start();
  const { id, headers, token } = await userOf(world);
  const { exp = 0 } = decodeJwt(token);
  await using stream = await openStream<Told>(world.client.url, headers, own);
  world.clock.advanceBy({ ms: (exp + 6) * 1000 - world.clock.now() });
  await world.client.data(RevokeTokensDocument, { identityId: id });
  expect(await stream.next()).toBeUndefined();
  expect(stream.completed).toBe(true);
});

it("is not disturbed by whatever else is published on its channel", async () => {
  await using world = await start({ gateways: 2, redis: true });
  const { id, headers, client } = await userOf(world);
  await using stream = await openStream<Told>(world.gateways[1]!.url, headers, own);
  const redis = new Redis(world.redis!.url);
  const digest = "A".repeat(22);
  const texts = [
    "x error revocation 1",
    "x newListener revocation 1",
    "x __proto__ deletion 1",
    "x constructor revocation 1",
    "",
    " ",
    `x ${digest} nonsense 1`,
    `x ${digest} revocation 1e400`,
    `x ${digest} revocation -1`,
    `x ${digest} revocation 1 more`,
    `x ${digest} revocation ${"9".repeat(1_000_000)}`,
    "x".repeat(1_000_000),
    '{"toString":1}',
  ];
  for (const text of texts) expect(await redis.publish("acsgw:revocations", text)).toBe(1);
  redis.disconnect();
  await client.data(RevokeTokensDocument, { identityId: id });
  expect((await stream.next())?.data?.tokenRevoked.identity.id).toBe(id);
  expect(world.events.lines.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
});

it("goes on at its own gateway while Redis is away, and everywhere once it is back", async () => {
  await using world = await start({ gateways: 2, redis: true });
  const [first, second] = world.gateways;
  const { id, headers, client } = await userOf(world);
  await using stream = await openStream<Told>(second!.url, headers, own);
  await world.redis!.kill();
  await until(() => world.events.lines.some((line) => line.includes("Redis is away")));
  const { errors } = await client.at(second!.url).send(RevokeTokensDocument, { identityId: id });
  expect(errors?.[0]?.extensions.code).toBe("CACHE_UNAVAILABLE");
  expect((await stream.next())?.data?.tokenRevoked.cause).toBe("REVOKED");
  await world.redis!.restart();
  const told = stream.next();
  let heard = false;
  void told.then(() => (heard = true));
  await until(async () => {
    await client.at(first!.url).send(RevokeTokensDocument, { identityId: id });
    return heard;
  });
  expect((await told)?.data?.tokenRevoked.identity.id).toBe(id);
  const complaints = world.events.lines.filter((line) => line.includes("subscribers are not told"));
  expect(complaints.every((line) => !line.includes(id))).toBe(true);
});

it("hears again after its connection to the channel has silently gone deaf", async () => {
  await using redis = await startRedis();
  await using proxy = await startTcpProxy(redis.port);
  await using world = await startWorld({
    gateways: 2,
    environment: {
      ...environment(),
      REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
      TOKEN_ENCRYPTION_KEYS: encryptionKeys,
    },
    parts: { notices: { probeMs: 100 } },
  });
  const [first, second] = world.gateways;
  const { id, headers, client } = await userOf(world);
  await using stream = await openStream<Told>(second!.url, headers, own);
  const revoke = () => client.at(first!.url).data(RevokeTokensDocument, { identityId: id });
  await revoke();
  expect((await stream.next())?.data?.tokenRevoked.cause).toBe("REVOKED");
  proxy.deafen(/subscribe/i);
  let heard = false;
  const told = stream.next();
  void told.then(() => (heard = true));
  await until(async () => {
    await revoke();
    return heard;
  });
  expect((await told)?.data?.tokenRevoked.identity.id).toBe(id);
  // Nothing else has suffered.
  expect(world.events.lines.filter((line) => line.includes("Redis is away"))).toEqual([]);
});
