/** Where a history happens: the emulator, a real Redis, gateway processes on it, and everything that can be broken. */
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { startGatewayProcess, type GatewayProcess, type PatchedBuild } from "../../support/gateway-process";
import type { GraphqlClient } from "../../support/graphql-client";
import type { Random } from "../../support/random";
import { startCluster } from "../../support/redis-cluster";
import { ask, startSentinel, type RedisGroup } from "../../support/redis-sentinel";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy";
import { developmentKey } from "../../support/world";
import { emulatorClock } from "./history";
import type { Watched } from "./vital-signs";

/** How the gateways' Redis is run. */
export type Topology = "standalone" | "sentinel" | "cluster";

/** Something that goes wrong and is mended after a while. */
export interface Fault {
  readonly name: string;
  /** How long it lasts, in milliseconds. */
  readonly ms: readonly [min: number, max: number];
  /** Begins it; resolves with how to end it. */
  readonly begin: (random: Random) => Promise<() => Promise<void>>;
}

/** Everything that a history needs. */
export interface Arena extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly clients: () => readonly GraphqlClient[];
  readonly faults: readonly Fault[];
  /** The gateways that no fault ends, to be watched. */
  readonly spared: readonly Watched[];
  /** What gateways have done that no fault explains: ended by themselves, or logged an error of their own. */
  readonly misdeeds: () => string[];
}

export interface ArenaOptions {
  readonly topology: Topology;
  readonly gateways: number;
  /** How many of them no fault ends, the first ones; none when left out. They may be frozen all the same. */
  readonly spared?: number;
  readonly seed: number;
  /** Gateways with a part of the protocol cut out. */
  readonly build?: PatchedBuild;
  /** How many of Azure's answers are late, and how late. */
  readonly late?: { readonly probability: number; readonly latencyMs: number };
}

/** Starts it all. */
export async function startArena(options: ArenaOptions): Promise<Arena> {
  const closing = new AsyncDisposableList();
  try {
    const emulator = closing.add(
      await startEmulator({ clock: emulatorClock, limits: false, seed: options.seed }),
    );
    // What every day brings: some calls are slow, some answers late, some lost.
    emulator.faults.add({
      kind: "answerLate",
      operation: "issueAccessToken",
      ...(options.late ?? { latencyMs: 60, probability: 0.15 }),
    });
    emulator.faults.add({ kind: "latency", latencyMs: 20, probability: 0.4 });
    emulator.faults.add({ kind: "resetAfter", probability: 0.01, operation: "issueAccessToken" });
    const redis = await startTopology(options.topology, closing);
    const gateways: GatewayProcess[] = [];
    const start = (index: number) =>
      startGatewayProcess(
        {
          ACS_CONNECTION_STRING: emulator.connectionString,
          ACS_TIMEOUT_MS: "4000",
          ACS_RATE_LIMIT: "1000000",
          REDIS_URL: redis.urlOf(index),
          LOG_LEVEL: "info",
          // A line each would be half a gigabyte in an hour.
          LOG_REQUESTS: "off",
        },
        options.build,
      );
    for (let index = 0; index < options.gateways; index++) gateways.push(await start(index));
    closing.add({
      [Symbol.asyncDispose]: async () => {
        await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
      },
    });
    return {
      emulator,
      clients: () => gateways.map(({ client }) => client),
      faults: [
        ...redis.faults,
        ...gatewayFaults(gateways, start, options.spared ?? 0),
        ...azureFaults(emulator),
      ],
      spared: gateways.slice(0, options.spared ?? 0).map(watched),
      misdeeds: () =>
        gateways.flatMap(({ died, log }, index) => [
          ...(died === undefined ? [] : [`gateway ${index} ended by itself, ${died}`]),
          ...log.split("\n").filter((line) => line.includes('"level":"error"')),
        ]),
      [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
    };
  } catch (error) {
    await closing[Symbol.asyncDispose]();
    throw error;
  }
}

interface RunningTopology {
  /** What the gateway with this number is given as REDIS_URL. */
  readonly urlOf: (index: number) => string;
  readonly faults: readonly Fault[];
}

async function startTopology(topology: Topology, closing: AsyncDisposableList): Promise<RunningTopology> {
  if (topology === "standalone") return standalone(closing);
  const group = closing.add(await (topology === "sentinel" ? startSentinel() : startCluster()));
  return { urlOf: () => group.url, faults: failovers(group) };
}

async function standalone(closing: AsyncDisposableList): Promise<RunningTopology> {
  const redis = closing.add(await startRedis());
  const proxies: TcpProxy[] = [];
  for (let index = 0; index < 8; index++) proxies.push(closing.add(await startTcpProxy(redis.port)));
  const network = (
    name: string,
    begin: (proxy: TcpProxy) => void,
    end: (proxy: TcpProxy) => void,
  ): Fault => ({
    name,
    ms: [500, 2_500],
    begin: (random) => {
      const some = proxies.filter(() => random() < 0.6);
      some.forEach(begin);
      return Promise.resolve(() => {
        some.forEach(end);
        return Promise.resolve();
      });
    },
  });
  return {
    urlOf: (index) => `redis://127.0.0.1:${proxies[index]?.port ?? 0}`,
    faults: [
      freezing("Redis frozen", [300, 3_000], () => Promise.resolve(redis)),
      {
        name: "Redis killed",
        ms: [200, 2_000],
        begin: async () => {
          await redis.kill();
          return () => redis.restart();
        },
      },
      {
        name: "Redis restarted from an old snapshot",
        ms: [500, 1_500],
        begin: async () => {
          await ask(redis.port, "SAVE");
          const [dump, old] = [join(redis.directory, "dump.rdb"), join(redis.directory, "old.rdb")];
          await copyFile(dump, old);
          return async () => {
            await redis.kill();
            await copyFile(old, dump);
            await redis.restart();
            await rm(dump, { force: true });
          };
        },
      },
      {
        name: "Redis full",
        ms: [500, 2_000],
        begin: async () => {
          await ask(redis.port, "CONFIG", "SET", "maxmemory", "1");
          return async () => {
            await ask(redis.port, "CONFIG", "SET", "maxmemory", "0");
          };
        },
      },
      {
        name: "Redis emptied",
        ms: [1, 2],
        begin: async () => {
          await ask(redis.port, "FLUSHALL");
          await ask(redis.port, "SCRIPT", "FLUSH");
          return () => Promise.resolve();
        },
      },
      network(
        "network swallows",
        (proxy) => (proxy.swallowing = true),
        (proxy) => (proxy.swallowing = false),
      ),
      network(
        "network slow",
        (proxy) => (proxy.latencyMs = 200),
        (proxy) => (proxy.latencyMs = 0),
      ),
      network(
        "network resets",
        (proxy) => {
          proxy.refusing = true;
          proxy.resetAll();
        },
        (proxy) => (proxy.refusing = false),
      ),
    ],
  };
}

function failovers(group: RedisGroup): Fault[] {
  const pickPrimary = async (random: Random) => random.pick(await group.primaries());
  const faults: Fault[] = [
    {
      name: "primary killed",
      ms: [7_000, 9_000],
      begin: async (random) => {
        const primary = await pickPrimary(random);
        await primary.kill();
        return () => group.rejoin(primary);
      },
    },
    freezing("primary frozen until after its successor's promotion", [7_000, 9_000], pickPrimary),
    freezing("primary frozen", [500, 2_500], pickPrimary),
  ];
  return faults.map((fault) => ({
    ...fault,
    begin: async (random: Random) => {
      await group.untilHealthy();
      const end = await fault.begin(random);
      return async () => {
        await end();
        await group.untilHealthy();
      };
    },
  }));
}

function freezing(name: string, ms: Fault["ms"], who: (random: Random) => Promise<RedisServer>): Fault {
  return {
    name,
    ms,
    begin: async (random) => {
      const server = await who(random);
      server.pause();
      return () => {
        server.resume();
        return Promise.resolve();
      };
    },
  };
}

function gatewayFaults(
  gateways: GatewayProcess[],
  start: (index: number) => Promise<GatewayProcess>,
  spared: number,
): Fault[] {
  return [
    {
      name: "gateway frozen",
      ms: [500, 5_000],
      begin: (random) => {
        const gateway = random.pick(gateways);
        gateway.pause();
        return Promise.resolve(() => {
          gateway.resume();
          return Promise.resolve();
        });
      },
    },
    {
      name: "gateway killed",
      ms: [100, 500],
      begin: async (random) => {
        const index = Math.floor(random.between(spared, gateways.length));
        await gateways[index]?.kill();
        return async () => {
          gateways[index] = await start(index);
        };
      },
    },
  ];
}

/** A gateway, for its memory to be watched. */
function watched({ pid, origin }: GatewayProcess, index: number): Watched {
  const heapBytes = async () => {
    try {
      const headers = { "x-api-key": developmentKey };
      const response = await fetch(`${origin}/metrics`, { headers, signal: AbortSignal.timeout(4_000) });
      const found = /^nodejs_heap_size_used_bytes ([\d.e+]+)$/m.exec(await response.text());
      return found ? Number(found[1]) : undefined;
    } catch {
      // It is frozen.
      return undefined;
    }
  };
  return { name: `gateway ${index}`, pid, heapBytes };
}

function azureFaults(emulator: Emulator): Fault[] {
  const fault = (name: string, ...added: Parameters<Emulator["faults"]["add"]>): Fault => ({
    name: `Azure ${name}`,
    ms: [300, 1_500],
    begin: () => {
      const everyday = emulator.faults.list();
      emulator.faults.clear();
      emulator.faults.add(...added);
      for (const each of everyday) emulator.faults.add(each);
      return Promise.resolve(() => {
        emulator.faults.clear();
        for (const each of everyday) emulator.faults.add(each);
        return Promise.resolve();
      });
    },
  });
  return [
    fault("fails", { kind: "status", status: 500, probability: 0.5 }),
    fault("throttles", { kind: "status", status: 429, headers: { "retry-after": "1" }, probability: 0.3 }),
    fault("loses answers", { kind: "resetAfter", probability: 0.5 }),
    fault("hangs", { kind: "hangAfter", probability: 0.3 }),
  ];
}

/** Closes in reverse. */
class AsyncDisposableList implements AsyncDisposable {
  private readonly parts: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(part: T): T {
    this.parts.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.parts.splice(0).reverse()) await part[Symbol.asyncDispose]();
  }
}
