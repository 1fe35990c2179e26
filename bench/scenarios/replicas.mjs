/** The hot path of one, two and four gateways on one Redis. */
import { isPinned } from "../lib/cores.mjs";
import { startGateway } from "../lib/gateway.mjs";
import { median, ratios, spread } from "../lib/statistics.mjs";
import { number, range, table } from "../lib/table.mjs";
import { undisturbed } from "../lib/undisturbed.mjs";
import { openLoad } from "../lib/world.mjs";

export const title = "Replicas: 1, 2 and 4 gateways on one Redis";

const sizes = [1, 2, 4];
const most = 3;

/** All sizes in each round. */
export async function measure(world, { rounds, seconds }) {
  const gateways = await Promise.all(
    Array.from({ length: Math.max(...sizes) }, () => startGateway(world.environment)),
  );
  try {
    for (const { url } of gateways) {
      await openLoad(world, [url]);
      await world.load.order("saturate", { seconds: 0.5, warmSeconds: 2 });
    }
    const found = sizes.map((size) => ({ size, rounds: [] }));
    for (let round = 0; round < Math.min(rounds, most); round++) {
      for (const { size, rounds: taken } of found) {
        const used = gateways.slice(0, size);
        const watched = { server: used.map(({ pid }) => pid), redis: [world.redis.pid] };
        await openLoad(
          world,
          used.map(({ url }) => url),
        );
        const order = { seconds: seconds * 0.75, warmSeconds: 0.5, watched };
        taken.push(await undisturbed(() => world.load.order("saturate", order)));
      }
    }
    await world.load.order("close");
    return found;
  } finally {
    for (const gateway of gateways) await gateway.end();
  }
}

/** The report's part. */
export function report(results) {
  const perSecond = ({ rounds }) => rounds.map((round) => round.perSecond);
  const perRequest = ({ rounds }, name) => spread(rounds.map(({ cpu, count }) => (cpu[name] / count) * 1e6));
  const rows = results.map((each) => [
    String(each.size),
    range(spread(perSecond(each))),
    range(ratios(perSecond(each), perSecond(results[0]))),
    range(perRequest(each, "server")),
    range(perRequest(each, "redis")),
    number(median(each.rounds.map(({ p99 }) => p99))),
  ]);
  const redis = perRequest(results.at(-1), "redis").median;
  const head = [
    "gateways",
    "requests/s",
    "× one",
    "gateways' CPU µs/request",
    "Redis' CPU µs/request",
    "p99 ms",
  ];
  const note = `${isPinned ? "All gateways share one core here, so that more of them cannot answer more: what the table tells is what a request costs when there are several. " : ""}A gateway keeps a core busy and asks nobody but Redis. At ${number(redis)} µs of Redis for a request, one Redis, which works on one core, is full at about ${number(1e6 / redis)} requests/s: so far replicas add up.`;
  return { text: [table(head, rows), note].join("\n\n") };
}
