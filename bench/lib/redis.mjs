/** A redis-server of the bench's own: free loopback port, nothing on disk. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { startChild } from "./children.mjs";

/** Starts it and waits until it answers. `client` is the bench's own connection to it. */
export async function startRedis() {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "acs-token-gateway-bench-redis-"));
  const program = process.env.REDIS_SERVER_PATH ?? "redis-server";
  const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
  const child = startChild("load", program, [...place, "--save", "", "--appendonly", "no"]);
  const client = new Redis(port, "127.0.0.1", { retryStrategy: () => 50, maxRetriesPerRequest: 100 });
  client.on("error", () => undefined);
  const [, version] = /redis_version:(\S+)/.exec(await client.info("server"));
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid,
    client,
    version,
    end: async () => {
      client.disconnect();
      await child.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
