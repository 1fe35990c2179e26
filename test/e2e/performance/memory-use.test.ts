/** What a cached token costs in Redis, beside its own bytes. */
import { expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { CreateIdentityAndTokenDocument } from "../../../operations/generated/operations";
import { startWorld, type World } from "../../support/world";

const identities = 300;

async function cachedTokens(world: World): Promise<string[]> {
  const tokens: string[] = [];
  for (let batch = 0; batch < identities / 20; batch++) {
    const made = await Promise.all(
      Array.from({ length: 20 }, () =>
        world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT", "VOIP"] }),
      ),
    );
    tokens.push(...made.map(({ createIdentity }) => createIdentity.accessToken?.token ?? ""));
  }
  return tokens;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN;
}

it.each([
  ["as Redis is set by default", "64", 1.2],
  ["with hash-max-listpack-value 4096", "4096", 1],
])("is little more than the token itself, in one key per identity, %s", async (_title, listpack, most) => {
  await using world = await startWorld({ redis: true });
  const redis = new Redis(world.redis?.url ?? "");
  try {
    await redis.config("SET", "hash-max-listpack-value", listpack);
    const tokens = await cachedTokens(world);
    const names = (await redis.keys("acsgw:*")).filter((name) => /\{[\w-]{22}\}$/.test(name));
    expect(names).toHaveLength(identities);
    const costs = await Promise.all(names.map((name) => redis.memory("USAGE", name, "SAMPLES", 0)));
    const [cost, length] = [median(costs.map(Number)), median(tokens.map((token) => token.length))];
    const ratio = cost / length;
    const figures = `${cost} bytes in Redis for a token of ${length} bytes: ${ratio.toFixed(2)} times`;
    process.stdout.write(`hash-max-listpack-value ${listpack}: ${figures}\n`);
    expect(ratio).toBeLessThan(most);
  } finally {
    redis.disconnect();
  }
});
