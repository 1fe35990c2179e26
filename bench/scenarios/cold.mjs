/** A token that nobody has asked for yet: what the gateway adds to the one call that has to be made. */
import { setTimeout as delay } from "node:timers/promises";
import { startColdFloor, startSdk } from "../contenders/contenders.mjs";
import { apiKey, startGateway } from "../lib/gateway.mjs";
import { resetFigures, scriptFigures } from "../lib/redis-figures.mjs";
import { median } from "../lib/statistics.mjs";
import { number, table } from "../lib/table.mjs";
import { body, bodyFor, makeIdentities, prefix } from "../lib/world.mjs";
import { targetOf } from "../lib/load.mjs";

export const title = "Cold path: a token that has to be issued";

const latencyMs = 20;
/** All have been at work before, as in production: what runs seldom is not compiled, and takes several times as long. */
const [warmCalls, warmAtOnce] = [3_000, 16];
/** The first ones after that meet another rhythm. */
const warmUp = 20;

/** One of each after the other, so that a slow moment meets all. */
export async function measure(world, { quick }) {
  const count = warmUp + (quick ? 50 : 200);
  const sdk = await startSdk(world);
  const floor = await startColdFloor(world);
  const gateway = await startGateway(world.environment);
  try {
    const warmed = quick ? warmCalls / 4 : warmCalls;
    await sdk.order("warm", { identityIds: await makeIdentities(world, warmed), concurrency: warmAtOnce });
    for (const { url } of [floor, gateway]) await warm(world, url, await makeIdentities(world, warmed));
    const kinds = Object.keys(titles);
    const identities = await makeIdentities(world, kinds.length * count);
    const identityOf = (kind, index) => identities[kinds.indexOf(kind) * count + index];
    await world.emulator.setLatency(latencyMs);
    // The load's connections are to both, in turn: it knows which by the order in which they were opened.
    const requests = kinds
      .slice(1)
      .flatMap((kind) =>
        Array.from({ length: count }, (_, index) => requestOf(world, kind, index, identityOf(kind, index))),
      );
    const targets = [floor.url, gateway.url].map(targetOf);
    const path = targets[0].path;
    await world.load.order("open", { targets, connections: 2, prefix, requests: { path, list: requests } });
    const take = {
      sdk: (index) => sdk.order("once", { identityId: identityOf("sdk", index) }),
      floor: (index) => world.load.order("once", { index, connection: 0 }),
      service: (index) => world.load.order("once", { index: count + index, connection: 1 }),
      user: (index) => world.load.order("once", { index: 2 * count + index, connection: 1 }),
    };
    const times = Object.fromEntries(kinds.map((kind) => [kind, []]));
    for (let index = 0; index < count; index++) {
      if (index === warmUp) await resetFigures(world.redis);
      for (let step = 0; step < kinds.length; step++) {
        const kind = kinds[(step + index) % kinds.length];
        times[kind].push(await take[kind](index));
        await delay(1);
      }
    }
    const scripts = await scriptFigures(world.redis);
    await world.load.order("close");
    const measured = Object.fromEntries(
      Object.entries(times).map(([name, all]) => [name, all.slice(warmUp)]),
    );
    return {
      times: measured,
      callsEach: scripts.calls / (2 * (count - warmUp)),
      scriptMicros: scripts.microseconds,
      warmed,
    };
  } finally {
    await world.emulator.setLatency(0);
    await gateway.end();
    await floor.end();
    await sdk.end();
  }
}

const asService = (id) => ({ credential: `x-api-key: ${apiKey}`, body: bodyFor(id) });

function requestOf(world, kind, index, identityId) {
  if (kind !== "user") return asService(identityId);
  return { credential: `authorization: Bearer ${world.issuer.token(`new-${index}`, identityId)}`, body };
}

/** As many requests as the SDK has made calls. */
async function warm(world, url, identityIds) {
  const target = targetOf(url);
  await world.load.order("open", {
    targets: [target],
    connections: warmAtOnce,
    prefix,
    requests: { path: target.path, list: identityIds.map(asService) },
  });
  await world.load.order("saturate", { total: identityIds.length });
  await world.load.order("close");
}

const titles = {
  sdk: "The SDK's `getToken`, called directly",
  floor: "The least: node:http, the SDK, a lease and a write in Redis",
  service: "The gateway, for a service that it knows",
  user: "The gateway, for a user whose access token it has never seen",
};

/** The report's part, and the goal. */
export function report({ times, callsEach, scriptMicros, warmed }) {
  const rows = Object.entries(times).map(([name, all]) => {
    const over = all.map((time, index) => time - times.sdk[index]);
    const isBase = name === "sdk";
    return [
      titles[name],
      `${number(median(all))} (${number(quarter(all, 0.25))}–${number(quarter(all, 0.75))})`,
      isBase
        ? "–"
        : `${number(median(over))} (${number(quarter(over, 0.25))}–${number(quarter(over, 0.75))})`,
      isBase ? "–" : `${number(overhead(all, times.sdk))} %`,
    ];
  });
  const found = overhead(times.service, times.sdk);
  const text = [
    table(["", "ms", "ms over the SDK", "of the SDK's time"], rows),
    `Median of ${times.sdk.length} issuances each (the middle half), one at a time and in turn, against the emulator that takes ${latencyMs} ms, over TLS; each had made ${warmed} calls before. The gateway does ${number(callsEach)} calls of scripts in Redis for each, of ${number(scriptMicros)} µs inside of Redis (its heartbeat included); each is a round trip.`,
  ].join("\n\n");
  const goals = [
    {
      what: `Cold path over the bare SDK call (emulator with ${latencyMs} ms)`,
      goal: "at most 5 %",
      found: `${number(found)} %`,
      isMet: found <= 5,
    },
  ];
  return { text, goals };
}

function overhead(all, base) {
  return (median(all) / median(base) - 1) * 100;
}

function quarter(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)];
}
