/** What a gateway's process and Redis hold after a million users. */
import { fileURLToPath } from "node:url";
import { apiKey, startGateway } from "../lib/gateway.mjs";
import { targetOf } from "../lib/load.mjs";
import { usedMemory } from "../lib/redis-figures.mjs";
import { say } from "../lib/say.mjs";
import { placeholder, seed, seededBody, seededIdentity } from "../lib/seeded.mjs";
import { number, table } from "../lib/table.mjs";
import { residentBytes } from "../lib/usage.mjs";
import { body, connections, prefix } from "../lib/world.mjs";

export const title = "Memory: after a million users";

const probe = fileURLToPath(new URL("../lib/memory-probe.js", import.meta.url));
/** Identities of one request: ten are the most that the gateway lets one ask for. */
const perRequest = 10;
/** Signed-in users whose requests are prepared at a time. */
const group = 10_000;

/** A new gateway; Redis as the scenario before has left it, or filled. */
export async function measure(world, { quick }) {
  const identities = quick ? 1e5 : 1e6;
  const users = quick ? 2e4 : 1e5;
  if ((world.seeded ?? 0) < identities) {
    await seed(world, world.seeded ?? 0, identities);
    world.seeded = identities;
  }
  const gateway = await startGateway(world.environment, "--expose-gc", "--require", probe);
  const found = [];
  const look = async (label) => {
    found.push({ label, ...(await memoryOf(gateway)) });
  };
  try {
    await askForIdentities(world, gateway, 10_000);
    await look("10,000 identities");
    const startedAt = Date.now();
    await askForIdentities(world, gateway, identities);
    const perSecond = identities / ((Date.now() - startedAt) / 1e3);
    await look(`${identities.toLocaleString("en-US")} identities`);
    say(`  ${users.toLocaleString("en-US")} signed-in users`);
    for (let from = 0; from < users; from += group) {
      const to = from + group;
      await askAsUsers(world, gateway, from, to);
      if (to === users / 2 || to === users) await look(`and ${to.toLocaleString("en-US")} signed-in users`);
    }
    return { found, identities, perSecond, redisBytes: await usedMemory(world.redis) };
  } finally {
    await gateway.end();
  }
}

/** A service asks for the tokens of this many identities, once each. */
async function askForIdentities(world, gateway, count) {
  const target = targetOf(gateway.url);
  await world.load.order("open", {
    targets: [target],
    connections,
    prefix: '{"data":{"t0":{"identity":{"id":"8:acs:',
    requests: {
      path: target.path,
      credential: `x-api-key: ${apiKey}`,
      body: seededBody(world, perRequest),
      placeholder,
      count,
    },
  });
  await world.load.order("saturate", { total: count / perRequest });
  await world.load.order("close");
}

/** Users ask, once each, with access tokens that the gateway has not seen. */
async function askAsUsers(world, gateway, from, to) {
  const target = targetOf(gateway.url);
  const credentials = Array.from({ length: to - from }, (_, index) => {
    const number_ = from + index;
    return `authorization: Bearer ${world.issuer.token(`seeded-${number_}`, seededIdentity(world, number_))}`;
  });
  await world.load.order("open", {
    targets: [target],
    connections,
    prefix,
    requests: { path: target.path, body, credentials },
  });
  await world.load.order("saturate", { total: credentials.length });
  await world.load.order("close");
}

let looks = 0;
async function memoryOf({ child, pid }) {
  const resident = residentBytes(pid);
  looks += 1;
  child.child.kill("SIGUSR2");
  const [all] = await child.prints(new RegExp(`(?:MEMORY .*\\n[^]*?){${looks}}`));
  const { heapUsed, external } = JSON.parse(all.trim().split("MEMORY ").at(-1));
  return { resident, heapUsed, external, collected: residentBytes(pid) };
}

/** The report's part. */
export function report({ found, identities, perSecond, redisBytes }) {
  const megabytes = (bytes) => number(bytes / 1e6);
  const rows = found.map(({ label, resident, collected, heapUsed, external }) => [
    label,
    ...[resident, collected, heapUsed, external].map(megabytes),
  ]);
  const head = [
    "asked for so far",
    "resident MB",
    "resident MB, collected",
    "heap in use MB",
    "outside of the heap MB",
  ];
  const note = `One gateway process under full load. A million signed-in users would have to be signed and verified one by one; so a service (an API key) asks for the tokens of ${identities.toLocaleString("en-US")} identities, once each, ${perRequest} in a request (${number(perSecond)} tokens/s), which goes through everything that is kept for an identity; then signed-in users come, each with an access token of his own, which goes through everything that is kept for a caller (verified tokens, limits), and fills it. "Collected" is after the garbage was collected. Redis holds ${number(redisBytes / 1e6)} MB for ${identities.toLocaleString("en-US")} tokens, ${Math.round(redisBytes / identities)} bytes each.`;
  return { text: [table(head, rows), note].join("\n\n") };
}
