/** The gateway's own endpoint keeps GraphQL over HTTP, as a subgraph too. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { CreateIdentityAndTokenDocument } from "../../../operations/generated/operations";
import { auditGraphqlOverHttp } from "../../support/graphql-over-http-audits";
import { developmentKey, startWorld, type World } from "../../support/world";

let world: World;
beforeAll(async () => {
  world = await startWorld({ redis: true });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

it("passes all 61 audits of GraphQL over HTTP", async () => {
  const outcome = await auditGraphqlOverHttp({
    url: world.gateways[0]?.url ?? "",
    headers: { "x-api-key": developmentKey },
  });
  expect(outcome).toEqual({ total: 61, notOk: [] });
});

interface Entities {
  readonly _entities: readonly { readonly id: string; readonly cachedTokens: readonly unknown[] }[];
}

it("resolves many identities of a federated query in one round trip to Redis", async () => {
  const ids: string[] = [];
  for (let count = 0; count < 20; count++) {
    ids.push(
      (await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] })).createIdentity.identity
        .id,
    );
  }
  const query = `query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Identity { id cachedTokens { scopes } } } }`;
  const representations = ids.map((id) => ({ __typename: "Identity", id }));
  const ask = () => world.client.send<Entities>(query, { representations });
  await ask();
  const redis = new Redis(world.redis?.url ?? "");
  try {
    const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await redis.info("stats"))?.[1]);
    const { data } = await ask();
    const trips: number[] = [];
    while (trips.length < 5) {
      const before = await reads();
      await ask();
      // The second count is a read of its own.
      trips.push((await reads()) - before - 1);
    }
    // The gateway's heartbeat may fall among one or the other.
    expect(Math.min(...trips)).toBe(1);
    expect(data?._entities.map(({ id }) => id)).toEqual(ids);
    expect(data?._entities.every(({ cachedTokens }) => cachedTokens.length === 1)).toBe(true);
  } finally {
    redis.disconnect();
  }
});

it("refuses documents with too many tokens", async () => {
  const error = await world.client.error(`{ ${"__typename ".repeat(1_100)} }`);
  expect(error).toMatchObject({ status: 400, extensions: { code: "GRAPHQL_PARSE_FAILED" } });
});

it("does not believe a create without an identity", async () => {
  await using broken = await startWorld();
  broken.emulator.faults.add({
    kind: "status",
    status: 200,
    body: '{"identity":null}',
    operation: "createIdentity",
  });
  const error = await broken.client.error(`mutation { createIdentity { identity { id } } }`);
  expect(error.extensions.code).toBe("UPSTREAM_UNAVAILABLE");
});
