/** From the start of a process to its first answer, which takes a token from Redis. */
import { performance } from "node:perf_hooks";
import { contenders } from "../contenders/contenders.mjs";
import { spread } from "../lib/statistics.mjs";
import { range, table } from "../lib/table.mjs";
import { residentBytes } from "../lib/usage.mjs";
import { body } from "../lib/world.mjs";

export const title = "Start: from nothing to the first answer";

const most = 3;

/** All contenders in each round. */
export async function measure(world, { rounds }) {
  const found = contenders.map(({ name, title: label }) => ({ name, title: label, times: [], resident: [] }));
  for (let round = 0; round < Math.min(rounds, most); round++) {
    for (const [index, contender] of contenders.entries()) {
      const startedAt = performance.now();
      const server = await contender.start(world);
      try {
        await firstAnswer(server.url, world.users[round].token);
        found[index].times.push(performance.now() - startedAt);
        found[index].resident.push(residentBytes(server.pid) / 1e6);
      } finally {
        await server.end();
      }
    }
  }
  return found;
}

async function firstAnswer(url, token) {
  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    authorization: `Bearer ${token}`,
  };
  const answer = await fetch(url, { method: "POST", headers, body });
  const { data } = await answer.json();
  if (data?.issueToken.accessToken.source !== "CACHE") throw new Error(`${url} does not answer from Redis.`);
}

/** The report's part. */
export function report(results) {
  const rows = results.map(({ title: label, times, resident }) => [
    label,
    range(spread(times)),
    range(spread(resident)),
  ]);
  const note = `Median of ${results[0].times.length} starts (least–most), each on the servers' core: Node.js itself, the modules, Redis, the issuer's keys, and one answer to a user. The memory is what the process holds then.`;
  return { text: [table(["", "ms", "MB"], rows), note].join("\n\n") };
}
