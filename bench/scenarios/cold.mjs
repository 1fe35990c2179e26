/** A token that nobody has asked for yet: what the gateway adds to the one call that has to be made. */
import { setTimeout as delay } from "node:timers/promises";
import { startSdk } from "../contenders/contenders.mjs";
import { apiKey, startGateway } from "../lib/gateway.mjs";
import { resetFigures, scriptFigures } from "../lib/redis-figures.mjs";
import { median } from "../lib/statistics.mjs";
import { number, table } from "../lib/table.mjs";
import { body, bodyFor, makeIdentities, prefix } from "../lib/world.mjs";
import { targetOf } from "../lib/load.mjs";

export const title = "Cold path: a token that has to be issued";

const latencyMs = 20;
/** Both have been at work before, as in production: what runs seldom is not compiled, and takes several times as long. */
const [warmCalls, warmAtOnce] = [3_000, 16];
/** The first ones after that meet another rhythm. */
const warmUp = 20;

/** One of each after the other, so that a slow moment meets all. */
export async function measure(world, { quick }) {
  const count = warmUp + (quick ? 50 : 200);
  const sdk = await startSdk(world);
  const gateway = await startGateway(world.environment);
  try {
    const target = targetOf(gateway.url);
    const warmed = quick ? warmCalls / 4 : warmCalls;
    await warm(world, sdk, target, await makeIdentities(world, warmed));
    const identities = await makeIdentities(world, 3 * count);
    const [direct, byService, byUser] = [0, 1, 2].map((kind) =>
      identities.slice(kind * count, (kind + 1) * count),
    );
    await world.emulator.setLatency(latencyMs);
    const service = byService.map(asService);
    const user = byUser.map((id, index) => {
      const credential = `authorization: Bearer ${world.issuer.token(`new-${index}`, id)}`;
      return { credential, body };
    });
    await world.load.order("open", {
      targets: [target],
      connections: 1,
      prefix,
      requests: { path: target.path, list: [...service, ...user] },
    });
    const times = { sdk: [], service: [], user: [] };
    let scripts;
    for (let index = 0; index < count; index++) {
      if (index === warmUp) await resetFigures(world.redis);
      const steps = [
        async () => times.sdk.push(await sdk.order("once", { identityId: direct[index] })),
        async () => times.service.push(await world.load.order("once", { index })),
        async () => times.user.push(await world.load.order("once", { index: count + index })),
      ];
      for (let step = 0; step < steps.length; step++) {
        await steps[(step + index) % steps.length]();
        await delay(1);
      }
    }
    scripts = await scriptFigures(world.redis);
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
    await sdk.end();
  }
}

const asService = (id) => ({ credential: `x-api-key: ${apiKey}`, body: bodyFor(id) });

/** The same number of calls for both. */
async function warm(world, sdk, target, identityIds) {
  await sdk.order("warm", { identityIds, concurrency: warmAtOnce });
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
    `Median of ${times.sdk.length} issuances each (the middle half), one at a time and in turn, against the emulator that takes ${latencyMs} ms, over TLS; both had made ${warmed} calls before. The gateway does ${number(callsEach)} calls of scripts in Redis for each, of ${number(scriptMicros)} µs inside of Redis (its heartbeat included); each is a round trip.`,
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
