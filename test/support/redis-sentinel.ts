/** A real primary with two replicas, watched by three sentinels. */
import { Redis } from "ioredis";
import { startRedis, type RedisServer } from "./redis-server";
import { until } from "./until";

/** Servers of which some take over from others. */
export interface RedisGroup extends AsyncDisposable {
  /** As REDIS_URL. */
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  /** Who is primary now. */
  primaries(): Promise<RedisServer[]>;
  /** Starts a node that was killed, as a replica of whoever is primary now. */
  rejoin(node: RedisServer): Promise<void>;
  /** Resolves when every primary has a good replica and can write. */
  untilHealthy(): Promise<void>;
}

/** Cut off from its replicas, a primary stops before another is promoted. */
export const fencing = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"];
const downAfterMs = 3_000;
const name = "mymaster";

/** Starts them all; resolves when they are healthy. */
export async function startSentinel(): Promise<RedisGroup> {
  const args = [...fencing, "--repl-diskless-sync-delay", "0"];
  const primary = await startRedis({ args });
  const replicas = await Promise.all(
    [1, 2].map(() => startRedis({ args: [...args, "--replicaof", `127.0.0.1 ${primary.port}`] })),
  );
  const nodes = [primary, ...replicas];
  await until(() => hasReplicas(primary.port, 2), 20_000);
  const sentinels = await Promise.all(
    [1, 2, 3].map(() =>
      startRedis({
        sentinel: [
          `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
          `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
          `sentinel failover-timeout ${name} 6000`,
          `sentinel parallel-syncs ${name} 2`,
        ],
      }),
    ),
  );
  const primaries = async () => {
    const words = await Promise.all(
      sentinels.map(({ port }) => ask(port, "SENTINEL", "get-master-addr-by-name", name)),
    );
    const ports = new Set(words.map((word) => Number((word as string[])[1])));
    // While they disagree, nobody is.
    return ports.size === 1 ? nodes.filter(({ port }) => ports.has(port)) : [];
  };
  const knowEachOther = async () => {
    const counts = await Promise.all(
      sentinels.map(
        async ({ port }) => ((await ask(port, "SENTINEL", "sentinels", name)) as unknown[]).length,
      ),
    );
    return counts.every((count) => count === 2);
  };
  const untilHealthy = () =>
    until(async () => {
      const [now] = await primaries();
      return now !== undefined && (await knowEachOther()) && (await hasReplicas(now.port, 1));
    }, 40_000);
  await untilHealthy();
  return {
    url: `redis-sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/0#${name}`,
    nodes,
    primaries,
    untilHealthy,
    rejoin: async (node) => {
      await node.restart();
      const [now] = await primaries();
      if (now && now.port !== node.port) await ask(node.port, "REPLICAOF", "127.0.0.1", String(now.port));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...sentinels, ...nodes].map((server) => server.stop()));
    },
  };
}

/** Whether a server is a primary with so many good replicas. Never rejects. */
export async function hasReplicas(port: number, count: number): Promise<boolean> {
  const info = await ask(port, "INFO", "replication").catch(() => "");
  const good = /min_slaves_good_slaves:(\d+)/.exec(String(info))?.[1] ?? "0";
  return String(info).includes("role:master") && Number(good) >= count;
}

/** Asks one server one thing; rejects after a second. */
export async function ask(port: number, command: string, ...args: string[]): Promise<unknown> {
  const redis = new Redis({ port, retryStrategy: () => null, commandTimeout: 1_000, connectTimeout: 1_000 });
  redis.on("error", () => undefined);
  try {
    return await redis.call(command, ...args);
  } finally {
    redis.disconnect();
  }
}
