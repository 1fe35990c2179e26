/** How much a caller, or an address, may ask for; and that nobody's greed is another's loss. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { hashApiKey } from "../../../src/services/access/api-key";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

const viewer = "{ viewer { name } }";
const key = (name: string) => `${name}:${hashApiKey(name).toString("hex")} rights=all`;

let issuer: Issuer;
let shared: World;
const now = { clock: Date.now };
beforeAll(async () => {
  issuer = await startIssuer(() => now.clock());
  shared = await startWorld();
});
afterAll(async () => {
  await shared[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

/** An issuer that names the identity itself, so that no directory is needed. */
const users = () => `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`;

/** A gateway of its own in the world that most tests share. */
async function start(environment: Record<string, string>): Promise<World> {
  const gateway = await shared.addGateway({ OIDC_ISSUERS: users(), ...environment });
  shared.emulator.counts.reset();
  return atFullMinute({
    ...shared,
    gateways: [gateway],
    client: gateway.client,
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  });
}

/** A minute begins, so that a window does not end in the middle of a test. */
function atFullMinute(world: World): World {
  now.clock = () => world.clock.now();
  world.clock.advanceBy({ ms: 60_000 - (world.clock.now() % 60_000) });
  return world;
}

async function user(world: World, subject: string, { gateway = world.gateways[0]!, from = "" } = {}) {
  const identityId = await newIdentity(world);
  const token = await issuer.token(subject, { acs: identityId });
  const headers = { authorization: `Bearer ${token}`, ...(from && { "x-forwarded-for": from }) };
  return new GraphqlClient(gateway.url, headers);
}

async function newIdentity({ client }: World): Promise<string> {
  const made = await client.data<{ createIdentity: { identity: { id: string } } }, object>(
    "mutation { createIdentity { identity { id } } }",
  );
  return made.createIdentity.identity.id;
}

const issue = (minutes: number, identityId?: string) =>
  `mutation { issueToken(input: { ${identityId ? `identityId: "${identityId}"` : ""} scopes: [CHAT], expiresInMinutes: ${minutes} }) { accessToken { source } } }`;

async function codes(count: number, send: (index: number) => ReturnType<GraphqlClient["send"]>) {
  const found: string[] = [];
  for (let index = 0; index < count; index++) {
    const { errors } = await send(index);
    found.push(errors?.[0]?.extensions.code ?? "ok");
  }
  return found;
}
const times = (code: string, count: number) => Array.from({ length: count }, () => code);

it("counts a user's requests, and says truly when he may go on", async () => {
  await using world = await start({ CALLER_REQUESTS_PER_MINUTE: "5" });
  const [alice, bob] = [await user(world, "alice"), await user(world, "bob")];
  expect(await codes(7, () => alice.send(viewer))).toEqual([...times("ok", 5), ...times("RATE_LIMITED", 2)]);
  const { status, headers, errors } = await alice.send(viewer);
  expect(status).toBe(429);
  const seconds = Number(headers.get("retry-after"));
  expect(errors?.[0]?.extensions).toMatchObject({ code: "RATE_LIMITED", retryAfterSeconds: seconds });
  expect(seconds).toBeGreaterThan(0);
  expect((await bob.send(viewer)).status).toBe(200);
  world.clock.advanceBy({ ms: seconds * 1000 });
  expect((await alice.send(viewer)).status).toBe(200);
});

it("counts the requests of strangers by their address, before it looks at what they show", async () => {
  await using world = await start({ ADDRESS_REQUESTS_PER_MINUTE: "4", TRUSTED_PROXIES: "loopback" });
  const stranger = (from: string, headers: Record<string, string>) =>
    new GraphqlClient(world.client.url, { "x-forwarded-for": from, ...headers });
  const guesses = [{ "x-api-key": "a guess" }, { authorization: "Bearer a.b.c" }, {}];
  const sent = (from: string, count: number) =>
    codes(count, (index) => stranger(from, guesses[index % 3]!).send(viewer));
  expect(await sent("203.0.113.7", 6)).toEqual([...times("UNAUTHENTICATED", 4), ...times("RATE_LIMITED", 2)]);
  expect(await sent("203.0.113.8", 1)).toEqual(["UNAUTHENTICATED"]);
  // What a stranger writes in front of the proxy's own word does not help him.
  expect(await sent("198.51.100.1, 203.0.113.7", 1)).toEqual(["RATE_LIMITED"]);
  // A customer has a whole /64 of IPv6.
  expect(await sent("2001:db8:1:2::1", 4)).toEqual(times("UNAUTHENTICATED", 4));
  expect(await sent("2001:db8:1:2:ffff::9", 1)).toEqual(["RATE_LIMITED"]);
  expect(await sent("2001:db8:1:3::1", 1)).toEqual(["UNAUTHENTICATED"]);
  // A service is known by its key, and all its users come from there.
  const service = stranger("203.0.113.7", { "x-api-key": "a-development-key-for-tests" });
  expect(await codes(10, () => service.send(viewer))).toEqual(times("ok", 10));
});

it("holds a key to the limit that it has of its own", async () => {
  await using world = await start({ API_KEYS: `${key("limited")} requests-per-minute=3, ${key("free")}` });
  const as = (name: string) => new GraphqlClient(world.client.url, { "x-api-key": name });
  expect(await codes(5, () => as("limited").send(viewer))).toEqual([
    ...times("ok", 3),
    ...times("RATE_LIMITED", 2),
  ]);
  expect(await codes(9, () => as("free").send(viewer))).toEqual(times("ok", 9));
});

it("holds a key to the calls to ACS that it may cause, and what the cache answers is free", async () => {
  await using world = await start({ API_KEYS: `${key("greedy")} issuances-per-minute=4, ${key("modest")}` });
  const identityId = await newIdentity(world);
  const as = (name: string) => new GraphqlClient(world.client.url, { "x-api-key": name });
  const issued = await codes(6, (index) => as("greedy").send(issue(60 + index, identityId)));
  expect(issued).toEqual([...times("ok", 4), ...times("RATE_LIMITED", 2)]);
  expect(await codes(9, () => as("greedy").send(issue(60, identityId)))).toEqual(times("ok", 9));
  expect(await codes(6, (index) => as("modest").send(issue(100 + index, identityId)))).toEqual(
    times("ok", 6),
  );
});

it("counts what a user costs at Azure, and what the cache answers is free", async () => {
  await using world = await start({ CALLER_ISSUANCES_PER_MINUTE: "3" });
  const alice = await user(world, "alice");
  expect(await codes(5, (index) => alice.send(issue(60 + index)))).toEqual([
    ...times("ok", 3),
    ...times("RATE_LIMITED", 2),
  ]);
  expect(await codes(5, () => alice.send(issue(60)))).toEqual(times("ok", 5));
  expect(world.emulator.counts.snapshot().operations.issueAccessToken?.received).toBe(3);
  const bob = await user(world, "bob");
  expect(await codes(1, () => bob.send(issue(60)))).toEqual(["ok"]);
});

it("counts what users at one address cost at Azure", async () => {
  await using world = await start({ ADDRESS_ISSUANCES_PER_MINUTE: "3", TRUSTED_PROXIES: "loopback" });
  const crowd = await Promise.all(
    [1, 2, 3, 4].map((index) => user(world, `one of many ${index}`, { from: "203.0.113.7" })),
  );
  expect(await codes(4, (index) => crowd[index]!.send(issue(60)))).toEqual([
    ...times("ok", 3),
    "RATE_LIMITED",
  ]);
  const elsewhere = await user(world, "elsewhere", { from: "203.0.113.8" });
  expect(await codes(1, () => elsewhere.send(issue(60)))).toEqual(["ok"]);
});

it("counts at all gateways on one Redis together, and at each alone while Redis is away", async () => {
  await using world = atFullMinute(
    await startWorld({
      gateways: 2,
      redis: true,
      environment: { OIDC_ISSUERS: users(), CALLER_REQUESTS_PER_MINUTE: "10" },
    }),
  );
  const [here, there] = [
    await user(world, "alice"),
    await user(world, "alice", { gateway: world.gateways[1]! }),
  ];
  expect(await codes(10, () => here.send(viewer))).toEqual(times("ok", 10));
  // Within a quarter of a second the other has heard of it: it has let ten through at the most by then.
  const seen: string[] = [];
  await until(async () => {
    seen.push(...(await codes(1, () => there.send(viewer))));
    return seen.includes("RATE_LIMITED");
  });
  expect(seen.length).toBeLessThanOrEqual(11);
  await world.redis!.kill();
  const bob = await user(world, "bob");
  expect(await codes(11, () => bob.send(viewer))).toEqual([...times("ok", 10), "RATE_LIMITED"]);
});
