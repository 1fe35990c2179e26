/** Users of a real OpenID Connect server: from signing in to tokens of their own, through rotations and outages. */
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { makeDirectoryFolder, type DirectoryFolder } from "../../support/directory-folder";
import { GraphqlClient } from "../../support/graphql-client";
import { startOidcServer, type OidcServer } from "../../support/oidc-server";
import { startWorld, type RunningGateway, type World } from "../../support/world";

let world: World;
let server: OidcServer;
let directory: DirectoryFolder;
let newcomersDirectory: DirectoryFolder;
let gateway: RunningGateway;

beforeAll(async () => {
  server = await startOidcServer();
  [directory, newcomersDirectory] = [await makeDirectoryFolder(), await makeDirectoryFolder()];
  world = await startWorld({
    environment: {
      OIDC_ISSUERS: `${server.issuer} audience=api://gateway guests=role:guest rights=identity:create`,
      DIRECTORY_PATH: directory.path,
    },
  });
  gateway = world.gateways[0]!;
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
  await newcomersDirectory[Symbol.asyncDispose]();
});

const as = (token: string, url = gateway.url) => new GraphqlClient(url, { authorization: `Bearer ${token}` });
const signIn = async (subject: string, claims?: Record<string, unknown>) =>
  as(await server.mint(subject, claims));

interface Viewer {
  readonly viewer: {
    readonly name: string;
    readonly kind: string;
    readonly identity: { readonly id: string };
    readonly identities: readonly {
      readonly device: string | null;
      readonly identity: { readonly id: string };
    }[];
  };
}
const viewer = "{ viewer { name kind identity { id } identities { device identity { id } } } }";
const identityOf = async (client: GraphqlClient, device?: string) =>
  (
    await client.data<Viewer, object>(
      device === undefined
        ? viewer
        : `{ viewer { name kind identity(device: "${device}") { id } identities { device identity { id } } } }`,
    )
  ).viewer.identity.id;

interface Issued {
  readonly issueToken: {
    readonly identity: { readonly id: string };
    readonly accessToken: { readonly token: string; readonly source: string };
  };
}
const issue = async (client: GraphqlClient, input = "scopes: [CHAT, VOIP]") =>
  (
    await client.data<Issued, object>(
      `mutation { issueToken(input: { ${input} }) { identity { id } accessToken { token source } } }`,
    )
  ).issueToken;

it("gives a user who has signed in an identity, the same ever after, and tokens for it", async () => {
  const alice = await signIn("alice");
  const first = await issue(alice);
  expect(world.emulator.introspect(first.accessToken.token)).toMatchObject({ active: true });
  const again = await issue(await signIn("alice"));
  expect(again.identity).toEqual(first.identity);
  expect(again.accessToken).toEqual({ token: first.accessToken.token, source: "CACHE" });
  const { viewer: seen } = await alice.data<Viewer, object>(viewer);
  expect(seen).toMatchObject({ name: "alice", kind: "USER", identity: first.identity });
  expect((await issue(await signIn("bob"))).identity).not.toEqual(first.identity);
});

it("gives a user one identity more for each device, up to a number", async () => {
  const carol = await signIn("carol");
  const own = await identityOf(carol);
  const phone = (await issue(carol, 'device: "phone", scopes: [CHAT]')).identity.id;
  expect(phone).not.toBe(own);
  expect(await identityOf(carol, "phone")).toBe(phone);
  // By its id, too: it is his own.
  expect((await issue(carol, `identityId: "${phone}", scopes: [CHAT]`)).accessToken.source).toBe("CACHE");
  for (let count = 2; count <= 10; count++) await identityOf(carol, `device ${count}`);
  expect(await carol.error('{ viewer { identity(device: "one more") { id } } }')).toMatchObject({
    extensions: { code: "BAD_USER_INPUT", argument: "device" },
  });
  const { viewer: seen } = await carol.data<Viewer, object>(viewer);
  expect(seen.identities).toHaveLength(11);
  expect(seen.identities[0]).toEqual({ device: null, identity: { id: own } });
});

it("makes one identity of a user's first requests, however many there are at once", async () => {
  const dave = await signIn("dave");
  const before = world.emulator.identities.list().length;
  const found = await Promise.all(Array.from({ length: 20 }, () => issue(dave)));
  expect(new Set(found.map(({ identity }) => identity.id)).size).toBe(1);
  expect(world.emulator.identities.list().length - before).toBe(1);
});

it("deletes a user's own identity, and gives him a new one the next time", async () => {
  const erin = await signIn("erin");
  const first = await issue(erin);
  const answer = await erin.data<{ deleteIdentity: { deletedId: string } }, object>(
    "mutation { deleteIdentity(input: {}) { deletedId } }",
  );
  expect(answer.deleteIdentity.deletedId).toBe(first.identity.id);
  expect(world.emulator.introspect(first.accessToken.token)).toMatchObject({ active: false });
  const next = await issue(erin);
  expect(next.identity).not.toEqual(first.identity);
  expect(next.accessToken.source).toBe("ISSUED");
});

it("replaces an identity that somebody has deleted at Azure", async () => {
  const frank = await signIn("frank");
  const first = await issue(frank);
  const azure = new CommunicationIdentityClient(world.emulator.connectionString, {
    allowInsecureConnection: true,
  });
  await azure.deleteUser({ communicationUserId: first.identity.id });
  // The cached token is served as long as nobody says that it is dead.
  const next = await issue(frank, "scopes: [CHAT, VOIP], forceRefresh: true");
  expect(next.identity).not.toEqual(first.identity);
  expect((await issue(frank)).identity).toEqual(next.identity);
});

it("revokes a user's own tokens, and knows nothing to revoke of who has no identity", async () => {
  const grace = await signIn("grace");
  const revoke = "mutation { revokeTokens(input: {}) { identity { id } } }";
  expect(await grace.error(revoke)).toMatchObject({ extensions: { code: "IDENTITY_NOT_FOUND" } });
  const { accessToken } = await issue(grace);
  await grace.data(revoke);
  expect((await issue(grace)).accessToken).toMatchObject({ source: "ISSUED" });
  expect(world.emulator.introspect(accessToken.token)).toMatchObject({ active: false });
});

it("lets a guest join, with an identity that ends by itself", async () => {
  const guest = await signIn("a guest", { role: "guest" });
  const { identity } = await issue(guest, "scopes: [CHAT_JOIN_LIMITED, VOIP_JOIN]");
  expect(
    await guest.error("mutation { issueToken(input: { scopes: [CHAT] }) { identity { id } } }"),
  ).toMatchObject({
    extensions: { code: "FORBIDDEN" },
  });
  expect(await identityOf(guest)).toBe(identity.id);
});

it("lets a service with client credentials do what its token's scope says, as far as its issuer may give it", async () => {
  const service = as(await server.clientCredentials("identity:create token:issue:any"));
  const create = "mutation { createIdentity { identity { id } } }";
  const made = await service.data<{ createIdentity: { identity: { id: string } } }, object>(create);
  const { id } = made.createIdentity.identity;
  expect(
    await service.error(
      `mutation { issueToken(input: { identityId: "${id}", scopes: [CHAT] }) { identity { id } } }`,
    ),
  ).toMatchObject({ extensions: { code: "FORBIDDEN" } });
  expect(await as(await server.clientCredentials("openid")).error(create)).toMatchObject({
    extensions: { code: "FORBIDDEN" },
  });
});

it("believes a new key at once, and an old one until the keys are looked at again", async () => {
  const before = await server.mint("heidi");
  expect(await identityOf(as(before))).toMatch(/^8:acs:/);
  await server.rotate();
  world.clock.advanceBy({ ms: 6_000 });
  const id = await identityOf(await signIn("heidi"));
  // The set of keys is another now, so what was verified with the old one is verified again.
  expect(await as(before).error(viewer)).toMatchObject({
    status: 401,
    extensions: { code: "UNAUTHENTICATED" },
  });
  expect(await identityOf(await signIn("heidi"))).toBe(id);
});

it("goes on when the issuer is away; who has never heard of it says that it is to be tried again", async () => {
  const token = await server.mint("ivan");
  const id = await identityOf(as(token));
  await server.stop();
  expect(await identityOf(as(token))).toBe(id);
  const newcomer = await world.addGateway({ DIRECTORY_PATH: newcomersDirectory.path });
  expect(await as(token, newcomer.url).error(viewer)).toMatchObject({
    status: 503,
    extensions: { code: "ISSUER_UNAVAILABLE", retryAfterSeconds: 5 },
  });
  await server.start();
  world.clock.advanceBy({ ms: 6_000 });
  expect(await identityOf(as(await server.mint("ivan"), newcomer.url))).toMatch(/^8:acs:/);
});
