/**
 * Every gateway is replaced in turn under load, as a rolling update does it, and nobody notices: not through a load
 * balancer, and not on a connection of one's own. Real processes on a real Redis.
 */
import { Agent, request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
  TokenRevokedDocument,
} from "../../../operations/generated/operations";
import { openStream } from "../../support/event-stream";
import { startGatewayProcess, type GatewayProcess } from "../../support/gateway-process";
import { GraphqlClient } from "../../support/graphql-client";
import { startLoadBalancer, type LoadBalancer } from "../../support/load-balancer";
import { freePort } from "../../support/free-port";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { until } from "../../support/until";
import { developmentKey } from "../../support/world";

const headers = { "x-api-key": developmentKey };
const scopes = ["CHAT" as const];
/** Between two requests of one client: the load is constant, and leaves a busy machine some room. */
const pauseMs = 25;
/** Many times what the load balancer needs to learn that a gateway leaves. */
const drainDelayMs = 1_500;

let redis: RedisServer;
let emulator: Emulator;
let balancer: LoadBalancer;
let gateways: GatewayProcess[] = [];
let ports: number[] = [];

const environment = () => ({
  ACS_CONNECTION_STRING: emulator.connectionString,
  ACS_RATE_LIMIT: "1000000",
  REDIS_URL: redis.url,
  DRAIN_DELAY_MS: String(drainDelayMs),
  LOG_LEVEL: "warn",
});

beforeAll(async () => {
  redis = await startRedis();
  emulator = await startEmulator({ limits: false });
  ports = [await freePort(), await freePort(), await freePort()];
  gateways = await Promise.all(
    ports.map((port) => startGatewayProcess({ ...environment(), PORT: String(port) })),
  );
  balancer = await startLoadBalancer(gateways.map(({ origin }) => origin));
  await until(() => ports.every((_, index) => balancer.isServing(index)));
}, 180_000);

afterAll(async () => {
  await (balancer as LoadBalancer | undefined)?.[Symbol.asyncDispose]();
  for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
  await (emulator as Emulator | undefined)?.[Symbol.asyncDispose]();
  await (redis as RedisServer | undefined)?.[Symbol.asyncDispose]();
});

/** Clients of all kinds that go on until they are stopped, and what they have seen. */
class Load {
  readonly counts: Record<string, number> = {};
  readonly failures: string[] = [];
  readonly created: string[] = [];
  #stopped = false;
  readonly #running: Promise<void>[] = [];

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Repeats `act` until the load is stopped. Whatever it throws is a failure that a user would have seen. */
  start(name: string, act: () => Promise<void>): void {
    this.counts[name] = 0;
    const run = async () => {
      while (!this.#stopped) {
        try {
          await act();
          this.counts[name]! += 1;
        } catch (error) {
          const { message, cause } = error as Error;
          this.failures.push(`${name}: ${message} ${cause instanceof Error ? cause.message : ""}`);
        }
        await sleep(pauseMs);
      }
    };
    this.#running.push(run());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** That a token is the identity's, and good at Azure at this moment. */
function checkToken(token: string, identityId: string): void {
  const found = emulator.introspect(token);
  check(found.active, "a token was served that is not good");
  check(found.active && found.identityId === identityId, "a token was served that is another identity's");
}

/** One client with one kept connection to one gateway. It goes to the next when it is told that this was the last answer. */
class DirectClient {
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  connections = 1;

  constructor(private index: number) {}

  async issue(identityId: string): Promise<string> {
    const body = JSON.stringify({
      query: IssueTokenDocument.toString(),
      variables: { identityId, scopes },
    });
    const sent = request({
      port: ports[this.index],
      host: "127.0.0.1",
      path: "/graphql",
      method: "POST",
      agent: this.#agent,
    });
    for (const [name, value] of Object.entries(headers)) sent.setHeader(name, value);
    sent.setHeader("content-type", "application/json").end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    const json = JSON.parse(await text(answer)) as {
      data?: { issueToken: { accessToken: { token: string } } };
      errors?: unknown;
    };
    if (answer.headers.connection === "close") {
      this.index = (this.index + 1) % ports.length;
      this.#agent.destroy();
      this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
      this.connections += 1;
    }
    check(answer.statusCode === 200 && json.data !== undefined, `status ${answer.statusCode ?? 0}`);
    return json.data?.issueToken.accessToken.token ?? "";
  }

  end(): void {
    this.#agent.destroy();
  }
}

it("loses no request, no identity, no revocation and no event while every gateway is replaced", async () => {
  const client = new GraphqlClient(`${balancer.url}/graphql`, headers);
  const make = async () => (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async (identityId: string) => {
    const { issueToken } = await client.data(IssueTokenDocument, { identityId, scopes });
    return issueToken.accessToken.token;
  };
  const load = new Load();
  const hot = await Promise.all(Array.from({ length: 10 }, make));
  for (let worker = 0, at = 0; worker < 5; worker++) {
    load.start(`hot ${worker}`, async () => {
      const identityId = hot[at++ % hot.length] ?? "";
      checkToken(await issue(identityId), identityId);
    });
  }
  for (let worker = 0; worker < 2; worker++) {
    load.start(`create ${worker}`, async () => {
      const { createIdentity } = await client.data(CreateIdentityAndTokenDocument, { scopes });
      load.created.push(createIdentity.identity.id);
      checkToken(createIdentity.accessToken?.token ?? "", createIdentity.identity.id);
    });
    const identityId = await make();
    load.start(`revoke ${worker}`, async () => {
      const before = await issue(identityId);
      await client.data(RevokeTokensDocument, { identityId });
      check(!emulator.introspect(before).active, "a revoked token is still good");
      const after = await issue(identityId);
      check(after !== before, "a revoked token was served");
      checkToken(after, identityId);
    });
  }
  const directs = ports.map((_, index) => new DirectClient(index));
  for (const [index, direct] of directs.entries()) {
    load.start(`direct ${index}`, async () => {
      const identityId = hot[index] ?? "";
      checkToken(await direct.issue(identityId), identityId);
    });
  }
  // A subscriber that subscribes anew when it is told that the stream is complete, and what it is to hear of.
  const followed = await make();
  let [events, streams] = [0, 0];
  let current: { begun: boolean } | undefined;
  const isOver = () => load.stopped;
  const follow = async () => {
    for (; !isOver(); current = undefined) {
      await using stream = await openStream(client.url, headers, TokenRevokedDocument.toString(), {
        identityId: followed,
      });
      if (!stream.begun) load.failures.push(`subscriber: status ${stream.response.status}`);
      current = stream;
      streams += 1;
      try {
        while ((await stream.next()) !== undefined) events += 1;
        if (!stream.completed)
          load.failures.push("subscriber: the stream ended without having been completed");
      } catch (error) {
        if (!isOver()) load.failures.push(`subscriber: ${(error as Error).message}`);
      }
    }
  };
  const following = follow();
  const tell = async () => {
    await until(() => current?.begun === true);
    const before = events;
    await client.data(RevokeTokensDocument, { identityId: followed });
    await until(() => events > before);
  };
  await tell();

  const ended: unknown[] = [];
  for (const [index, port] of ports.entries()) {
    const { code, signal } = await gateways[index]!.end("SIGTERM");
    ended.push({ code, signal });
    gateways[index] = await startGatewayProcess({ ...environment(), PORT: String(port) });
    await until(() => balancer.isServing(index));
    await tell();
  }
  await load.stop();
  // The last stream is ended as all are, by its gateway.
  await Promise.all(
    gateways.map((gateway) =>
      gateway.end("SIGTERM").then(({ code, signal }) => ended.push({ code, signal })),
    ),
  );
  await following;
  for (const direct of directs) direct.end();

  const total = Object.values(load.counts).reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${JSON.stringify({ total, ...load.counts, created: load.created.length, streams, events, forwarded: balancer.forwarded, connections: directs.map(({ connections }) => connections) })}\n`,
  );
  expect([load.failures, balancer.failures]).toEqual([[], []]);
  expect(ended).toEqual(Array.from({ length: 6 }, () => ({ code: 0, signal: null })));
  for (const count of Object.values(load.counts)) expect(count).toBeGreaterThan(10);
  for (const { connections } of directs) expect(connections).toBeGreaterThan(1);
  expect(streams).toBeGreaterThan(1);
  const alive = new Set(emulator.identities.list().flatMap(({ id, deleted }) => (deleted ? [] : id)));
  expect(load.created.filter((id) => !alive.has(id))).toEqual([]);
}, 180_000);
