/** The rights that docs/redis.md asks for on Redis are enough for everything. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import {
  CreateIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../operations/generated/operations";
import { startCluster } from "../support/redis-cluster";
import { ask, startSentinel } from "../support/redis-sentinel";
import { startRedis } from "../support/redis-server";
import { startWorld } from "../support/world";

const page = readFileSync(join(__dirname, "..", "..", "docs", "redis.md"), "utf8");
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
    await world.client.data(RevokeTokensDocument, { identityId });
    expect((await issue()).source).toBe("ISSUED");
    const complaints = world.events.lines.filter((line) => /unavailable|away|NOPERM/i.test(line));
    expect(complaints).toEqual([]);
  },
  60_000,
);
