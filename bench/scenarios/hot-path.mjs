/** Cached tokens at full speed and at half of it: every contender in every round, one after the other. */
import { Buffer } from "node:buffer";
import { cacheless, contenders } from "../contenders/contenders.mjs";
import { median, ratios, spread } from "../lib/statistics.mjs";
import { say } from "../lib/say.mjs";
import { number, range, table } from "../lib/table.mjs";
import { undisturbed } from "../lib/undisturbed.mjs";
import { connections, openLoad } from "../lib/world.mjs";

export const title = "Hot path: a cached token for a signed-in user";

/** Before each measurement: whoever has waited for the others' turns has shrunk its heap meanwhile. */
const warmSeconds = 2;

/** Above this share of a core the load, Redis and the emulator may have held the server back. */
const busy = 0.9;

/** Takes all rounds. */
export async function measure(world, { rounds, seconds, contenders: wanted }) {
  const running = [];
  try {
    const all = [...contenders, ...cacheless];
    // The floor is always there: everything is compared with it.
    const some = all.filter(({ name }) => name === "floor" || (wanted?.includes(name) ?? true));
    for (const each of some) running.push(await prepare(world, each));
    compareAnswers(running.filter(({ bodies }) => bodies));
    for (let round = 0; round < rounds; round++) {
      say(`  round ${round + 1} of ${rounds}`);
      // Each is first in its turn: whatever comes back at the same point of every round meets another one.
      const order = running.map((_, index) => running[(index + round) % running.length]);
      for (const each of order) each.rounds.push(await takeRound(world, each, seconds));
    }
    return running.map(({ name, title: label, rounds: taken }) => ({ name, title: label, rounds: taken }));
  } finally {
    for (const { server } of running) await server.end();
    await world.emulator.setLatency(0);
  }
}

async function prepare(world, contender) {
  const server = await contender.start(world);
  const each = { ...contender, server, rounds: [] };
  if (server.url === undefined) return each;
  if (contender.latencyMs !== undefined) {
    each.load = {
      prefix: '{"token":"',
      requests: {
        path: new URL(server.url).pathname,
        body: JSON.stringify({ scopes: ["chat", "voip"] }),
        credentials: world.users.map(({ token }) => `authorization: Bearer ${token}`),
      },
    };
    return each;
  }
  await openLoad(world, [server.url]);
  each.bodies = await world.load.order("readAll");
  each.load = { lengths: each.bodies.map((text) => Buffer.byteLength(text)) };
  // Until what is compiled is compiled.
  await world.load.order("saturate", { seconds: 1, warmSeconds: 8 });
  await world.load.order("close");
  return each;
}

/** Everybody must have given every user the floor's answer; a newline at the end is free. */
function compareAnswers([floor, ...others]) {
  for (const { name, bodies } of others) {
    const wrong = bodies.findIndex((text, user) => text.trim() !== floor.bodies[user].trim());
    if (wrong !== -1) throw new Error(`${name} answers otherwise than ${floor.name}: ${bodies[wrong]}`);
  }
}

async function takeRound(world, contender, seconds) {
  const { server, latencyMs } = contender;
  const watched = { server: [server.pid], redis: [world.redis.pid], emulator: [world.emulator.pid] };
  await world.emulator.setLatency(latencyMs ?? 0);
  if (server.url === undefined) {
    return { saturated: await undisturbed(() => callDirectly(world, server, seconds)) };
  }
  await openLoad(world, [server.url], contender.load);
  const saturated = await undisturbed(() => world.load.order("saturate", { seconds, warmSeconds, watched }));
  const rate =
    median([...contender.rounds.map((round) => round.saturated.perSecond), saturated.perSecond]) / 2;
  const half = await undisturbed(() => world.load.order("pace", { rate, seconds: seconds * 0.75, watched }));
  await world.load.order("close");
  return { saturated, half };
}

/** The caller is the load, and is where a server would be. */
async function callDirectly(world, caller, seconds) {
  const { cpu, ...result } = await caller.order("saturate", {
    identityIds: world.users.map(({ identityId }) => identityId),
    concurrency: connections,
    seconds,
    warmSeconds,
    watched: { redis: [world.redis.pid], emulator: [world.emulator.pid] },
  });
  return { ...result, cpu: { ...cpu, server: cpu.load, load: 0 } };
}

const loadCore = ({ cpu, seconds }) => (cpu.load + cpu.redis + cpu.emulator) / seconds;
const serverCore = ({ cpu, seconds }) => cpu.server / seconds;
const foreign = (result) => Math.max(0, result.foreign) / result.seconds;
const share = (value) => (Number.isFinite(value) ? `${Math.round(value * 100)} %` : "–");

/** The report's part, and the goals. */
export function report(results) {
  const of = (name) => results.find((each) => each.name === name);
  const perSecond = ({ rounds }) => rounds.map(({ saturated }) => saturated.perSecond);
  const halfP99 = ({ rounds }) => rounds.map(({ half }) => half?.p99 ?? Number.NaN);
  const pick = ({ rounds }, phase, what) => spread(rounds.map((round) => what(round[phase])));
  const floor = of("floor");
  const rows = results.map((each) => {
    const hasHalf = each.rounds[0].half !== undefined;
    return [
      each.title,
      range(pick(each, "saturated", ({ perSecond: value }) => value)),
      range(ratios(perSecond(each), perSecond(floor))),
      range(pick(each, "saturated", ({ cpu, count }) => (cpu.server / count) * 1e6)),
      number(pick(each, "saturated", ({ p50 }) => p50).median),
      number(pick(each, "saturated", ({ p99 }) => p99).median),
      hasHalf ? range(spread(halfP99(each))) : "–",
      hasHalf ? range(ratios(halfP99(each), halfP99(floor))) : "–",
    ];
  });
  const cores = results.map((each) => {
    const half = each.rounds[0].half && pick(each, "half", serverCore).median;
    const late = each.rounds[0].half && pick(each, "half", ({ latenessP99 }) => latenessP99).median;
    const loads = pick(each, "saturated", loadCore);
    return [
      each.title,
      share(pick(each, "saturated", serverCore).median),
      share(loads.median),
      loads.median > busy ? "**yes**" : "no",
      half === undefined ? "–" : number(median(each.rounds.map((round) => round.half.p50))),
      half === undefined ? "–" : share(half),
      late === undefined ? "–" : number(late),
      share(pick(each, "saturated", foreign).median),
    ];
  });
  const head = [
    "",
    "requests/s",
    "× floor",
    "CPU µs/request",
    "p50 ms",
    "p99 ms",
    "p99 ms at half load",
    "× floor's",
  ];
  const coresHead = [
    "",
    "server's core",
    "other core",
    "held back by it?",
    "p50 ms at half load",
    "server's core at half load",
    "load late by, p99 ms",
    "others on the machine",
  ];
  const text = [
    table(head, rows),
    "Median of the rounds (least–most). Ratios are taken within a round, and are then medians too. CPU is the server process's own, user and system. p50 and p99 in the middle columns are at saturation, where 64 requests wait for one core.",
    "**Same work:** bearer authentication (ES256, each token verified once and then known by its SHA-256), one read of Redis, AES-256-GCM unsealing, the operation `IssueToken`, the same bytes in the answer: before anything is measured, every contender's answer to every user is compared with the floor's. The gateway runs as it does in production, with its audit written to a file and its request limits counting. Apollo Server, Mercurius and Yoga have the gateway's own schema, resolvers and services, without limits, without an audit and without what Apollo Server and the gateway check of operations' size: that favours them. Each of their requests reads Redis for itself; that many requests read in one command is this gateway's own, and one row shows Mercurius with it. The REST server and the SDK have no cache: ACS (the emulator, over TLS) answers each request.",
    table(coresHead, cores),
    `Load, Redis and emulator share a core. Where they need more than ${share(busy)} of it, the number of requests is theirs and not the server's. At half load requests come at a fixed rate, half of the contender's own median, whether answers come or not, and their time counts from when they were due. Fewer requests at once are dearer each (nothing is read or written together with anything else), so at half of the rate the server's core has much more than half of its work. "Others" is CPU time that went to programs which have no part in the measurement, or to other machines on the host, in percent of one core; a measurement with more than 10 % of that is taken again, a few times, and the calmest counts.`,
  ].join("\n\n");
  const [gateway, mercurius, apollo] = ["gateway", "mercurius", "apollo"].map(of);
  if (!gateway || !mercurius || !apollo) return { text };
  const goals = [
    atLeast("Throughput of the floor's", 0.7, ratios(perSecond(gateway), perSecond(floor))),
    atLeast("Throughput of Mercurius with JIT's", 2, ratios(perSecond(gateway), perSecond(mercurius))),
    atLeast("Throughput of Apollo Server standalone's", 5, ratios(perSecond(gateway), perSecond(apollo))),
    {
      what: "p99 at half load, of the floor's",
      goal: "at most 1.5 ×",
      found: `${range(ratios(halfP99(gateway), halfP99(floor)))} ×`,
      isMet: ratios(halfP99(gateway), halfP99(floor)).median <= 1.5,
    },
  ];
  return { text, goals };
}

function atLeast(what, least, found) {
  return {
    what,
    goal: `at least ${least.toFixed(2)} ×`,
    found: `${range(found)} ×`,
    isMet: found.median >= least,
  };
}
