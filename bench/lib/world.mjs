/** What every scenario stands on: Redis, the emulator, an issuer, users with tokens, and the process that makes load. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator } from "./emulator.mjs";
import { serverEnvironment, startGateway } from "./gateway.mjs";
import { startIssuer } from "./issuer.mjs";
import { startLoad, targetOf } from "./load.mjs";
import { startRedis } from "./redis.mjs";
import { say } from "./say.mjs";

/** Connections of every load. */
export const connections = 64;
/** What every token is asked for. */
export const scopes = ["CHAT", "VOIP"];
/** How every right answer begins. */
export const prefix = '{"data":{"issueToken":{"identity":{"id":"8:acs:';

const query = `mutation IssueToken($scopes: [TokenScope!]!) {
  issueToken(input: { scopes: $scopes }) {
    identity {
      id
    }
    accessToken {
      token
      expiresOn
      scopes
      source
    }
  }
}`;

/** The request's body: the quickstart's own operation, for the caller's own identity. */
export const body = JSON.stringify({ query, variables: { scopes }, operationName: "IssueToken" });

/** The same for an identity that the request names, for a service. */
export function bodyFor(identityId) {
  const named = query
    .replace("($scopes", "($identityId: ID!, $scopes")
    .replace("scopes: $scopes", "identityId: $identityId, scopes: $scopes");
  return JSON.stringify({ query: named, variables: { identityId, scopes }, operationName: "IssueToken" });
}

/** Starts it all; `end` ends it all. */
export async function startWorld({ users: userCount }) {
  const ends = [];
  const end = async () => {
    for (const each of ends.splice(0).reverse()) await each();
  };
  try {
    const folder = mkdtempSync(join(tmpdir(), "acs-token-gateway-bench-"));
    ends.push(() => rmSync(folder, { recursive: true, force: true }));
    const started = await Promise.all([startRedis(), startEmulator(), startIssuer(), startLoad()]);
    ends.push(...started.map((each) => () => each.end()));
    const [redis, emulator, issuer, load] = started;
    const encryptionKeys = `bench:${randomBytes(32).toString("base64")}`;
    const environment = serverEnvironment({ redis, emulator, issuer, encryptionKeys, folder });
    say(`Making ${userCount} users…`);
    const users = await makeUsers(userCount, emulator, issuer);
    const world = { redis, emulator, issuer, load, environment, encryptionKeys, folder, users, end };
    Object.assign(world, await issueAll(world));
    return world;
  } catch (error) {
    await end();
    throw error;
  }
}

/** Opens the load's connections to a server, with a request for each user. */
export async function openLoad({ load, users }, urls, options = {}) {
  const targets = urls.map(targetOf);
  await load.order("open", {
    targets,
    connections,
    prefix,
    requests: {
      path: targets[0].path,
      body,
      credentials: users.map(({ token }) => `authorization: Bearer ${token}`),
    },
    ...options,
  });
}

async function makeUsers(count, emulator, issuer) {
  const client = sdkClient(emulator);
  const users = [];
  let begun = 0;
  const worker = async () => {
    while (begun < count) {
      const subject = `user-${String(begun++).padStart(7, "0")}`;
      const { communicationUserId: identityId } = await client.createUser();
      users.push({ subject, identityId, token: issuer.token(subject, identityId) });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return users;
}

/** Identities that nobody has asked a token for yet. */
export async function makeIdentities({ emulator }, count) {
  const client = sdkClient(emulator);
  const identityIds = [];
  while (identityIds.length < count) identityIds.push((await client.createUser()).communicationUserId);
  return identityIds;
}

/** The bench's own client of the SDK. The authority is trusted by hand: Node reads its variable at the start alone. */
function sdkClient({ connectionString, ca }) {
  return new CommunicationIdentityClient(connectionString, { tlsOptions: { ca: readFileSync(ca, "utf8") } });
}

/** Has the gateway issue each user's token, which Redis then holds; returns one, and the field under which it does. */
async function issueAll(world) {
  const gateway = await startGateway(world.environment);
  try {
    await openLoad(world, [gateway.url]);
    const [first] = await world.load.order("readAll");
    await world.load.order("close");
    const [key] = await world.redis.client.keys("acsgw:{*}");
    const fields = await world.redis.client.hkeys(key);
    const { token, expiresOn } = JSON.parse(first).data.issueToken.accessToken;
    return { field: fields.find((field) => field.startsWith("e:")), sample: { token, expiresOn } };
  } finally {
    await gateway.end();
  }
}
