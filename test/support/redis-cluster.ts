/** A real Redis Cluster of three primaries with a replica each. */
import { ask, fencing, hasReplicas, type RedisGroup } from "./redis-sentinel";
import { freePort } from "./free-port";
import { startRedis, type RedisServer } from "./redis-server";
import { until } from "./until";

const slots = 16_384;
const pairs = 3;

/** Starts it; resolves when it is healthy. */
export async function startCluster(): Promise<RedisGroup> {
  const nodes: RedisServer[] = [];
  for (let index = 0; index < pairs * 2; index++) nodes.push(await startNode());
  const ids = await Promise.all(nodes.map(async ({ port }) => String(await ask(port, "CLUSTER", "MYID"))));
  const [first] = nodes;
  for (const [index, { port }] of nodes.entries()) {
    await ask(port, "CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    await ask(first?.port ?? 0, "CLUSTER", "MEET", "127.0.0.1", String(port));
  }
  await Promise.all(
    nodes.slice(0, pairs).map(({ port }, index) => {
      const edge = (number: number) => Math.floor((slots * number) / pairs);
      return ask(port, "CLUSTER", "ADDSLOTSRANGE", String(edge(index)), String(edge(index + 1) - 1));
    }),
  );
  const primaryId = (index: number) => ids[index - pairs] ?? "";
  await until(async () => {
    // A node can follow another only once it has heard of it.
    const known = await Promise.all(
      nodes.map(async ({ port }) => String(await ask(port, "CLUSTER", "NODES"))),
    );
    return known.every((text) => ids.every((id) => text.includes(id)));
  }, 20_000);
  for (const [index, { port }] of nodes.entries()) {
    if (index >= pairs) await ask(port, "CLUSTER", "REPLICATE", primaryId(index));
  }
  const primaries = async () => {
    const roles = await Promise.all(
      nodes.map((node) =>
        ask(node.port, "ROLE").then(
          (role) => [node, (role as unknown[])[0]] as const,
          () => undefined,
        ),
      ),
    );
    return roles.flatMap((role) => (role?.[1] === "master" ? [role[0]] : []));
  };
  const untilHealthy = () =>
    until(async () => {
      const now = await primaries();
      const states = await Promise.all(
        nodes.map(({ port }) => ask(port, "CLUSTER", "INFO").then(String, () => "")),
      );
      if (now.length !== pairs || !states.every((state) => state.includes("cluster_state:ok"))) return false;
      return (await Promise.all(now.map(({ port }) => hasReplicas(port, 1)))).every(Boolean);
    }, 40_000);
  await untilHealthy();
  return {
    url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    nodes,
    primaries,
    untilHealthy,
    rejoin: (node) => node.restart(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((server) => server.stop()));
    },
  };
}

async function startNode(): Promise<RedisServer> {
  // The cluster's bus is 10,000 ports further.
  const port = await freePort();
  const args = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"];
  const timing = ["--cluster-node-timeout", "3000", "--repl-diskless-sync-delay", "0"];
  return startRedis({ port, args: [...args, ...timing, ...fencing] });
}
