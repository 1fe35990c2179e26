/** The rights that docs/redis.md asks for on Redis are enough for everything. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { openStream } from "../../support/event-stream";
import { GraphqlClient } from "../../support/graphql-client";
import { startCluster } from "../../support/redis-cluster";
import { ask, startSentinel } from "../../support/redis-sentinel";
import { startRedis } from "../../support/redis-server";
import { until } from "../../support/until";
import { startWorld } from "../../support/world";

const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "redis.md"), "utf8");
const rule = /^ACL SETUSER (gateway .*)$/m.exec(page)?.[1]?.split(" ") ?? [];

it.each([
  ["standalone", () => startRedis().then((redis) => Object.assign(redis, { nodes: [redis] }))],
  ["behind Sentinel", startSentinel],
  ["as a Cluster", startCluster],
])(
  "are enough for Redis %s",
  async (_how, start) => {
    await using redis = await start();
    for (const { port } of redis.nodes) await ask(port, "ACL", "SETUSER", ...rule);
    await using world = await startWorld({
      environment: {
        REDIS_URL: redis.url.replace("//", "//gateway:password@"),
        ACS_RATE_LIMIT: "20",
        API_KEYS: `limited:${hashApiKey("a limited key").toString("hex")} rights=all requests-per-minute=9`,
        TOKEN_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 1).toString("base64")}`,
      },
    });
    const identityId = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
    const issue = async () =>
      (await world.client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken;
    expect((await issue()).source).toBe("ISSUED");
    expect((await issue()).source).toBe("CACHE");
    const { identity } = await world.client.data(IdentityDocument, { identityId });
    expect(identity?.cachedTokens).toHaveLength(1);
    const revoked = {
      query: "subscription ($id: ID!) { tokenRevoked(identityId: $id) { cause } }",
      variables: { id: identityId },
    };
    const other = await world.addGateway();
    await using stream = await openStream(other.url, world.client.headers, revoked.query, revoked.variables);
    await world.client.data(RevokeTokensDocument, { identityId });
    expect((await stream.next())?.data).toEqual({ tokenRevoked: { cause: "REVOKED" } });
    expect((await issue()).source).toBe("ISSUED");
    const limited = new GraphqlClient(world.client.url, { "x-api-key": "a limited key" });
    await limited.data("{ viewer { name } }");
    // What is left of Azure's limit stands in Redis.
    const { status } = await fetch(`${world.gateways[0]!.origin}/metrics`, { headers: world.client.headers });
    expect(status).toBe(200);
    // What fails there is not told, for nobody would be helped; Redis itself remembers what it denied.
    const denied = async () =>
      Promise.all(redis.nodes.map(async ({ port }) => JSON.stringify(await ask(port, "ACL", "LOG"))));
    const counted = async () =>
      (await Promise.all(redis.nodes.map(({ port }) => ask(port, "KEYS", "*limit:*")))).flat().length > 0;
    await until(counted);
    expect((await denied()).filter((log) => log !== "[]")).toEqual([]);
    const complaints = world.events.lines.filter((line) => /unavailable|away|NOPERM/i.test(line));
    expect(complaints).toEqual([]);
  },
  60_000,
);
