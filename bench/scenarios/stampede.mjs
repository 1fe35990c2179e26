/** A thousand requests at once for one token that is not there, at three replicas: ACS must be asked once. */
import { targetOf } from "../lib/load.mjs";
import { apiKey, startGateway } from "../lib/gateway.mjs";
import { spread } from "../lib/statistics.mjs";
import { range, table } from "../lib/table.mjs";
import { bodyFor, makeIdentities, prefix } from "../lib/world.mjs";

export const title = "Stampede: 1,000 at once, one key, 3 replicas";

const [requests, replicas, latencyMs] = [1000, 3, 50];

/** Another identity in each round. */
export async function measure(world, { rounds }) {
  const gateways = await Promise.all(Array.from({ length: replicas }, () => startGateway(world.environment)));
  try {
    const identities = await makeIdentities(world, rounds + 1);
    await world.emulator.setLatency(latencyMs);
    const taken = [];
    for (const identityId of identities) {
      await world.emulator.resetCounts();
      const targets = gateways.map(({ url }) => targetOf(url));
      const one = { credential: `x-api-key: ${apiKey}`, body: bodyFor(identityId) };
      await world.load.order("open", {
        targets,
        connections: requests,
        prefix,
        requests: { path: targets[0].path, list: [one] },
      });
      const burst = await world.load.order("burst");
      await world.load.order("close");
      const { operations } = await world.emulator.counts();
      taken.push({
        ...burst,
        upstream: operations.issueAccessToken.received,
        withoutRedis: gateways.reduce((sum, { child }) => sum + timeouts(child.log), 0),
      });
    }
    // The first one was there to compile.
    return taken.slice(1);
  } finally {
    await world.emulator.setLatency(0);
    for (const gateway of gateways) await gateway.end();
  }
}

/** How often a gateway has given Redis up so far, by its log. */
function timeouts(log) {
  return log.split("token store unavailable").length - 1;
}

/** The report's part. */
export function report(results) {
  const of = (what) => range(spread(results.map(what)));
  const upstream = spread(results.map((each) => each.upstream));
  const rows = [
    ["Time until the last answer, ms", of(({ seconds }) => seconds * 1e3)],
    ["p50, ms", of(({ p50 }) => p50)],
    ["p99, ms", of(({ p99 }) => p99)],
    ["Calls that ACS got", `${upstream.median} (${upstream.min}–${upstream.max})`],
  ];
  const given = results.at(-1).withoutRedis;
  if (given > 0)
    rows.push(["Requests, of all rounds, that went on without Redis because it seemed too slow", given]);
  const note = `Median of ${results.length} rounds (least–most), a new identity in each. ACS takes ${latencyMs} ms; ${requests.toLocaleString("en-US")} connections send at the same time, a third to each replica; the replicas share one core where the bench is pinned.`;
  const goal = {
    what: "Calls to ACS of a stampede",
    goal: "1",
    found: String(upstream.max),
    isMet: upstream.min === 1 && upstream.max === 1,
  };
  return { text: [table(["", ""], rows), note].join("\n\n"), goals: [goal] };
}
