/** A load balancer as an ingress is one: health checks, kept connections to each server, and no second try of anything. */
import { once } from "node:events";
import {
  Agent,
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface LoadBalancer extends AsyncDisposable {
  readonly url: string;
  /** Whether the server was ready when it was last asked. */
  isServing(index: number): boolean;
  /** How many requests each server was sent. */
  readonly forwarded: readonly number[];
  /** What went wrong between it and the servers, for which clients were answered 502. */
  readonly failures: readonly string[];
}

interface Server {
  readonly origin: string;
  /** Its connections are kept, as an ingress keeps them. */
  readonly agent: Agent;
  serving: boolean;
}

/** Balances between servers in turn, those that /health/ready says are ready. */
export async function startLoadBalancer(origins: readonly string[], checkMs = 50): Promise<LoadBalancer> {
  const servers = origins.map((origin): Server => ({
    origin,
    agent: new Agent({ keepAlive: true }),
    serving: false,
  }));
  const forwarded = origins.map(() => 0);
  const failures: string[] = [];
  const ended = new AbortController();
  let turn = 0;

  const check = async (server: Server) => {
    while (!ended.signal.aborted) {
      server.serving = await isReady(server.origin);
      await sleep(checkMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  };
  const next = (): number => {
    const first = turn++;
    const inTurn = servers.map((_server, offset) => (first + offset) % servers.length);
    return inTurn.find((index) => servers[index]?.serving) ?? -1;
  };
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const index = next();
    const server = servers[index];
    if (!server) {
      failures.push("no server is ready");
      outgoing.writeHead(503).end();
      return;
    }
    forwarded[index]! += 1;
    const headers = without(incoming.headers, "connection");
    const { method, url = "/" } = incoming;
    const sent = request(server.origin + url, { method, headers, agent: server.agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, without(answer.headers, "connection", "keep-alive"));
      answer.pipe(outgoing);
      answer.on("error", (error) => {
        if (!ended.signal.aborted && !incoming.destroyed) failures.push(`cut: ${error.message}`);
        outgoing.destroy();
      });
    });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      if (outgoing.headersSent || outgoing.destroyed) return;
      failures.push(`${server.origin}: ${error.code ?? error.message}`);
      outgoing.writeHead(502).end();
    });
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) sent.destroy();
    });
    incoming.pipe(sent);
  };

  // Clients' connections are kept for as long as they like: what breaks is to be the servers' doing.
  const front = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, forward);
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  for (const server of servers) void check(server);
  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    isServing: (index) => servers[index]?.serving ?? false,
    forwarded,
    failures,
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      for (const { agent } of servers) agent.destroy();
      front.closeAllConnections();
      front.close();
      await once(front, "close");
    },
  };
}

async function isReady(origin: string): Promise<boolean> {
  const asked = request(`${origin}/health/ready`, { agent: false, timeout: 1_000 }).end();
  asked.on("timeout", () => asked.destroy(new Error("The health check took too long.")));
  try {
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    return answer.statusCode === 200;
  } catch {
    return false;
  }
}

/** What concerns one connection alone is not passed on (RFC 9110, section 7.6.1). */
function without(headers: IncomingHttpHeaders, ...names: readonly string[]): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
