/** What a request costs with more and more cached tokens in Redis. */
import { apiKey, startGateway } from "../lib/gateway.mjs";
import { targetOf } from "../lib/load.mjs";
import { resetFigures, scriptFigures, usedMemory } from "../lib/redis-figures.mjs";
import { say } from "../lib/say.mjs";
import { placeholder, seed, seededBody } from "../lib/seeded.mjs";
import { median, spread } from "../lib/statistics.mjs";
import { number, range, table } from "../lib/table.mjs";
import { undisturbed } from "../lib/undisturbed.mjs";
import { connections, prefix } from "../lib/world.mjs";

export const title = "Growth: more cached tokens";

const most = 3;

/** Redis is emptied first and full afterwards. `world.seeded` says how many tokens it then has. */
export async function measure(world, { quick, rounds, seconds }) {
  await world.redis.client.flushall();
  const empty = await usedMemory(world.redis);
  const gateway = await startGateway(world.environment);
  const found = [];
  try {
    for (const count of quick ? [1e3, 1e4, 1e5] : [1e3, 1e4, 1e5, 1e6]) {
      say(`  ${count.toLocaleString("en-US")} tokens`);
      await seed(world, world.seeded ?? 0, count);
      world.seeded = count;
      const bytes = ((await usedMemory(world.redis)) - empty) / count;
      const target = targetOf(gateway.url);
      await world.load.order("open", {
        targets: [target],
        connections,
        prefix,
        requests: {
          path: target.path,
          credential: `x-api-key: ${apiKey}`,
          body: seededBody(world),
          placeholder,
          count,
        },
      });
      const taken = [];
      for (let round = 0; round < Math.min(rounds, most); round++) {
        const isFirst = found.length === 0 && round === 0;
        const watched = { server: [gateway.pid], redis: [world.redis.pid] };
        const order = { seconds: seconds * 0.75, warmSeconds: isFirst ? 5 : 0.5, watched };
        const take = async () => {
          await resetFigures(world.redis);
          const result = await world.load.order("saturate", order);
          return { ...result, ...(await scriptFigures(world.redis)) };
        };
        taken.push(await undisturbed(take));
      }
      await world.load.order("close");
      found.push({ count, bytes, rounds: taken });
    }
    return found;
  } finally {
    await gateway.end();
  }
}

/** The report's part. */
export function report(results) {
  const of = ({ rounds }, what) => range(spread(rounds.map(what)));
  const rows = results.map((each) => [
    each.count.toLocaleString("en-US"),
    of(each, ({ perSecond }) => perSecond),
    of(each, ({ cpu, count }) => (cpu.server / count) * 1e6),
    of(each, ({ cpu, count }) => (cpu.redis / count) * 1e6),
    of(each, ({ microseconds }) => microseconds),
    number(median(each.rounds.map(({ p99 }) => p99))),
    Math.round(each.bytes).toLocaleString("en-US"),
  ]);
  const head = [
    "tokens in Redis",
    "requests/s",
    "gateway's CPU µs/request",
    "Redis' CPU µs/request",
    "a script inside of Redis, µs",
    "p99 ms",
    "bytes of Redis for a token",
  ];
  const note =
    "One gateway, asked by a service (an API key) for the tokens of all these identities alike, each as often as the others. The tokens are sealed and stored as the gateway's own commit does it. The levels follow one another, so a slow or a quick quarter of a minute of the machine is a level's own.";
  return { text: [table(head, rows), note].join("\n\n") };
}
