/** What a gateway counts is what it has done, whatever clients send. */
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  CreateIdentityAndTokenDocument,
  CreateIdentityDocument,
  DeleteIdentityDocument,
  IdentityDocument,
  IssueTokenDocument,
  RefreshTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { metricDefinitions, metricPrefix } from "../../../src/services/telemetry/metrics/definitions";
import { GraphqlClient } from "../../support/graphql-client";
import { scrape, type Scrape } from "../../support/metrics";
import { until } from "../../support/until";
import { developmentKey, startWorld, type World, type WorldOptions } from "../../support/world";

const key = { "x-api-key": developmentKey };
let world: World;
const start = async (options: WorldOptions = {}) => {
  world = await startWorld(options);
  return world;
};
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});
const now = (gateway = 0): Promise<Scrape> => scrape(world.gateways[gateway]!.origin, key);
const created = async () => (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
const issue = (identityId: string, gateway = 0) =>
  world.gateways[gateway]!.client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] });
const renew = (identityId: string) =>
  world.client.data(RefreshTokenDocument, { identityId, scopes: ["CHAT"] });

describe("each operation", () => {
  beforeEach(() => start());

  it("is counted by its root field with its outcome, on the short way and on Apollo Server's", async () => {
    const id = await created();
    for (let count = 0; count < 4; count++) await issue(id);
    await world.client.error(IssueTokenDocument, { identityId: "x", scopes: ["CHAT"] });
    await world.client.data(IdentityDocument, { identityId: id });
    await world.client.data("query { __schema { queryType { name } } }");
    await world.client.data(
      "query Q { a: viewer { name } ...F } fragment F on Query { b: viewer { name } __typename }",
    );
    await world.client.send("{ nothing }");
    await world.client.send("{");
    const counts = await now();
    const of = (operation: string, outcome: string) =>
      counts.value("operation_duration_seconds_count", { operation, outcome });
    expect(of("issueToken", "ok")).toBe(4);
    expect(of("issueToken", "BAD_USER_INPUT")).toBe(1);
    expect(of("createIdentity", "ok")).toBe(1);
    expect(of("identity", "ok")).toBe(1);
    expect(of("introspection", "ok")).toBe(1);
    expect(of("several", "ok")).toBe(1);
    expect(of("invalid", "GRAPHQL_VALIDATION_FAILED")).toBe(1);
    expect(of("invalid", "GRAPHQL_PARSE_FAILED")).toBe(1);
    expect(counts.value("http_requests_total", { route: "graphql" })).toBe(11);
    expect(counts.value("requests_refused_total", { code: "GRAPHQL_PARSE_FAILED" })).toBe(1);
    expect(counts.value("requests_refused_total", { code: "BAD_USER_INPUT" })).toBe(1);
    const sum =
      counts.value("operation_duration_seconds_sum", { operation: "issueToken", outcome: "ok" }) ?? 0;
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(4);
  });

  it("moves the counters that it should, and the hit ratio with them", async () => {
    const before = await now();
    expect(before.value("tokens_served_total", { source: "cache" })).toBe(0);
    expect(before.value("revocations_total")).toBe(0);
    const id = await created();
    await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
    await issue(id);
    await issue(id);
    await issue(id);
    await renew(id);
    await world.client.data(RevokeTokensDocument, { identityId: id });
    await world.client.data(DeleteIdentityDocument, { identityId: id });
    const after = await now();
    expect(after.value("tokens_served_total", { source: "cache" })).toBe(2);
    expect(after.value("tokens_served_total", { source: "issued" })).toBe(2);
    expect(after.value("identities_created_total", { with_token: "false" })).toBe(1);
    expect(after.value("identities_created_total", { with_token: "true" })).toBe(1);
    expect(after.value("revocations_total", { cause: "revocation", confirmed: "true" })).toBe(1);
    expect(after.value("revocations_total", { cause: "deletion", confirmed: "true" })).toBe(1);
    expect(after.value("revocations_total", { confirmed: "false" })).toBe(0);
    expect(after.value("identities_deleted_total")).toBe(1);
    const resource = new URL(world.emulator.url).host;
    for (const [operation, count] of [
      ["createIdentity", 1],
      ["createIdentityWithToken", 1],
      ["issueToken", 2],
      ["revokeTokens", 1],
      ["deleteIdentity", 1],
    ] as const) {
      const labels = { resource, operation, outcome: "ok" };
      expect([operation, after.value("upstream_call_duration_seconds_count", labels)]).toEqual([
        operation,
        count,
      ]);
      const left = after.value("upstream_budget_remaining", { resource, operation });
      expect(left).toBe((after.value("upstream_budget_limit", { resource, operation }) ?? 0) - count);
    }
    expect(after.value("redis_up")).toBeUndefined();
    expect(after.value("redis_away_seconds_total")).toBe(0);
    expect(after.value("internal_errors_total")).toBe(0);
  });

  it("grows no label by what a client has made up", async () => {
    const labelsOf = (scraped: Scrape) => new Set(scraped.text.match(/^acs_token_gateway_[^ ]+/gm));
    const send = async (serial: number) => {
      const made = `garbage${serial}`;
      await world.client.send(`query ${made} { ${made}: viewer { name } }`);
      await world.client.send(`{ ${made} }`);
      await world.client.send(
        `mutation ${made} { issueToken(input: {identityId: "${made}", scopes: [CHAT]}) { identity { id } } }`,
      );
      await fetch(`${world.gateways[0]!.origin}/${made}`);
      await fetch(`${world.gateways[0]!.origin}/${made}/${made}`, { method: "DELETE" });
      await fetch(world.client.url, {
        method: "POST",
        headers: { ...key, "content-type": made },
        body: made,
      });
      await new GraphqlClient(world.client.url, { "x-api-key": made }).send("{ viewer { name } }");
      await now();
    };
    await send(0);
    // A scrape counts itself when it is over.
    await send(1);
    const before = labelsOf(await now());
    for (let serial = 2; serial < 40; serial++) await send(serial);
    const after = await now();
    expect(labelsOf(after)).toEqual(before);
    expect(after.text).not.toContain("garbage");
    expect(after.value("http_requests_total", { route: "other", status: "404" })).toBe(80);
  });

  it("tells nothing of who asked or what for", async () => {
    const id = await created();
    const token = (await issue(id)).issueToken.accessToken.token;
    await world.client.send("{ viewer { name } }", {}, { headers: { "x-request-id": "the-request-id" } });
    const { text } = await now();
    const accessKey = /accesskey=([^;]+)/.exec(world.emulator.connectionString)?.[1] ?? "none";
    for (const secret of [
      id,
      token,
      token.slice(0, 20),
      developmentKey,
      accessKey,
      "the-request-id",
      "eyJ",
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it("that Azure fails is counted by how, and opens the circuit that the gauge tells of", async () => {
    const id = await created();
    const outcomes = [
      ["credential_refused", 401],
      ["throttled", 429],
      ["failed", 500],
    ] as const;
    for (const [outcome, status] of outcomes) {
      world.emulator.faults.add({
        kind: "status",
        status,
        operation: "issueAccessToken",
        times: 1,
        body: "{}",
      });
      await world.client.send(IssueTokenDocument, { identityId: id, scopes: ["VOIP"] });
      const labels = { operation: "issueToken", outcome };
      expect([outcome, (await now()).value("upstream_call_duration_seconds_count", labels)]).toEqual([
        outcome,
        1,
      ]);
    }
    expect((await now()).value("upstream_circuit_open", { operation: "issueToken" })).toBe(0);
    world.emulator.faults.add({ kind: "status", status: 500, operation: "issueAccessToken", body: "{}" });
    await until(async () => {
      await world.client.send(RefreshTokenDocument, { identityId: id, scopes: ["VOIP"] });
      return (await now()).value("upstream_circuit_open", { operation: "issueToken" }) === 1;
    });
    expect((await now()).value("upstream_circuit_open", { operation: "revokeTokens" })).toBe(0);
    const failed = { operation: "issueToken", outcome: "UPSTREAM_REJECTED" };
    expect((await now()).value("operation_duration_seconds_count", failed)).toBe(1);
  });
});

it("counts who joined another's issuance, in the process and across replicas", async () => {
  await start({ redis: true, gateways: 2 });
  const id = await created();
  world.emulator.faults.add({ kind: "latency", latencyMs: 300, operation: "issueAccessToken" });
  const asked = Array.from({ length: 10 }, (_, index) => issue(id, index % 2));
  await Promise.all(asked);
  expect(world.emulator.worked("issueAccessToken")).toBe(1);
  const [one, two] = [await now(0), await now(1)];
  const joined = (where: string) =>
    (one.value("token_flights_joined_total", { where }) ?? 0) +
    (two.value("token_flights_joined_total", { where }) ?? 0);
  // One has issued; one of the other gateway waited for it, and all others for these two.
  expect(joined("process")).toBe(8);
  expect(joined("replica")).toBe(1);
  expect(one.value("redis_call_duration_seconds_count", { script: "acsgwRead" })).toBeGreaterThan(0);
  expect(one.value("redis_up")).toBe(1);
});

it("counts the time without Redis, and what is owed to it until it is back", async () => {
  await start({ redis: true, environment: { REDIS_TIMEOUT_MS: "100" } });
  const id = await created();
  await issue(id);
  expect((await now()).value("redis_away_seconds_total")).toBe(0);
  await world.redis!.kill();
  const lostAt = performance.now();
  await until(async () => (await now()).value("redis_up") === 0);
  const seenAt = performance.now();
  await world.client.error(RevokeTokensDocument, { identityId: id });
  const away = await now();
  expect(away.value("revocations_total", { cause: "revocation", confirmed: "false" })).toBe(1);
  expect(away.value("revocations_owed")).toBe(1);
  expect(away.value("dependency_failures_total", { dependency: "store" })).toBeGreaterThan(0);
  const growing = away.value("redis_away_seconds_total") ?? 0;
  expect(growing).toBeGreaterThan(0);
  await until(async () => ((await now()).value("redis_away_seconds_total") ?? 0) > growing);
  const stillAwayAt = performance.now();
  await world.redis!.restart();
  await until(async () => (await now()).value("redis_up") === 1);
  await until(async () => (await now()).value("revocations_owed") === 0);
  const total = (await now()).value("redis_away_seconds_total") ?? 0;
  const backAt = performance.now();
  expect(total).toBeGreaterThanOrEqual((stillAwayAt - seenAt) / 1_000);
  expect(total).toBeLessThanOrEqual((backAt - lostAt) / 1_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect((await now()).value("redis_away_seconds_total")).toBe(total);
});

it("shows the budget of all replicas, and who waits for it here", async () => {
  await start({
    redis: true,
    gateways: 2,
    // The fifth waits: of six seconds a caller can wait for the end.
    parts: { budget: { issuances: 4, windowMs: 6_000, replicas: 2 } },
  });
  const operation = { operation: "issueToken" };
  const ids = [await created(), await created(), await created()];
  await issue(ids[0]!, 0);
  await issue(ids[1]!, 1);
  for (const gateway of [0, 1]) {
    expect((await now(gateway)).value("upstream_budget_remaining", operation)).toBe(2);
    expect((await now(gateway)).value("upstream_budget_limit", operation)).toBe(4);
  }
  await issue(ids[2]!, 1);
  expect((await now()).value("upstream_budget_remaining", operation)).toBe(1);
  const waiting = [renew(ids[0]!), renew(ids[1]!)];
  await until(async () => (await now()).value("upstream_queue_length", operation) === 1);
  expect((await now(1)).value("upstream_queue_length", operation)).toBe(0);
  await Promise.all(waiting);
  expect((await now()).value("upstream_queue_length", operation)).toBe(0);
});

describe("/metrics", () => {
  it("is for those who may operate the gateway, and read with GET or HEAD", async () => {
    await start();
    const url = `${world.gateways[0]!.origin}/metrics`;
    const stranger = await fetch(url);
    expect(stranger.status).toBe(401);
    expect(await stranger.json()).toMatchObject({ errors: [{ extensions: { code: "UNAUTHENTICATED" } }] });
    expect((await fetch(url, { headers: { "x-api-key": "wrong" } })).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    const read = await fetch(url, { headers: key });
    expect(read.status).toBe(200);
    expect(read.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(read.headers.get("cache-control")).toBe("no-store");
    const head = await fetch(url, { method: "HEAD", headers: key });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(1_000);
    expect(await head.text()).toBe("");
    const posted = await fetch(url, { method: "POST", headers: key });
    expect(posted.status).toBe(405);
    expect(posted.headers.get("allow")).toBe("GET, HEAD");
    const counts = await now();
    expect(counts.value("requests_refused_total", { code: "UNAUTHENTICATED" })).toBe(3);
    expect(counts.value("http_requests_total", { route: "metrics", status: "401" })).toBe(3);
    expect(counts.value("http_requests_total", { route: "metrics", status: "405" })).toBe(1);
  });

  it("is refused to a caller without the right", async () => {
    await start({
      environment: {
        API_KEYS: `backend:${hashApiKey("a key of a backend").toString("hex")} rights=token:issue:any`,
      },
    });
    const response = await fetch(`${world.gateways[0]!.origin}/metrics`, {
      headers: { "x-api-key": "a key of a backend" },
    });
    expect(response.status).toBe(403);
    expect(await response.text()).not.toContain("acs_token_gateway_");
  });

  it("is open on METRICS_PORT, which serves health and nothing else", async () => {
    await start({ environment: { METRICS_PORT: "0" } });
    const open = world.gateways[0]!.metricsOrigin ?? "";
    expect(open).not.toBe(world.gateways[0]!.origin);
    await issue(await created());
    expect((await scrape(open)).value("tokens_served_total", { source: "issued" })).toBe(1);
    // The main port goes on serving them to operators.
    expect((await now()).value("tokens_served_total", { source: "issued" })).toBe(1);
    expect((await fetch(`${world.gateways[0]!.origin}/metrics`)).status).toBe(401);
    const statusOf = async (path: string, method = "GET") => (await fetch(open + path, { method })).status;
    expect(await statusOf("/health/live")).toBe(200);
    expect(await statusOf("/health/ready")).toBe(200);
    expect(await statusOf("/metrics", "HEAD")).toBe(200);
    expect(await statusOf("/metrics", "POST")).toBe(405);
    expect(await statusOf("/health/live", "POST")).toBe(405);
    for (const path of ["/graphql", "/explorer", "/status", "/", "/metrics/", "//metrics"]) {
      expect([path, await statusOf(path)]).toEqual([path, 404]);
    }
  });

  it("keeps a gateway from starting whose METRICS_PORT is taken, in words", async () => {
    await start({ environment: { METRICS_PORT: "0" } });
    const { port } = new URL(world.gateways[0]!.metricsOrigin!);
    await expect(world.addGateway({ METRICS_PORT: port })).rejects.toThrow(
      `The gateway cannot listen on METRICS_PORT ${port} of 127.0.0.1 (EADDRINUSE).`,
    );
  });

  it("tells of the drain on METRICS_PORT while requests are finished on the other", async () => {
    await start({ environment: { METRICS_PORT: "0" } });
    const [gateway] = world.gateways;
    const id = await created();
    world.emulator.faults.add({ kind: "latency", latencyMs: 1_500, operation: "issueAccessToken" });
    const slow = issue(id);
    await until(async () => (await scrape(gateway!.metricsOrigin!)).value("http_requests_in_flight") === 1);
    const closed = gateway![Symbol.asyncDispose]();
    const ready = await fetch(`${gateway!.metricsOrigin!}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ status: "draining" });
    expect((await slow).issueToken.accessToken.source).toBe("ISSUED");
    await closed;
    await expect(fetch(`${gateway!.metricsOrigin!}/health/live`)).rejects.toThrow();
  });
});

it("has every metric that is defined, with exactly the labels that are", async () => {
  await start({ redis: true });
  const id = await created();
  await issue(id);
  await world.client.send("{");
  await now();
  const { samples, types } = await now();
  const defined = Object.entries(metricDefinitions);
  expect(Object.fromEntries(types)).toEqual(
    Object.fromEntries(defined.map(([name, { type }]) => [metricPrefix + name, type])),
  );
  for (const [name, { type, labels }] of defined) {
    const suffix = type === "histogram" ? "_count" : "";
    const own = samples.filter((sample) => sample.name === metricPrefix + name + suffix);
    expect([name, own.length]).not.toEqual([name, 0]);
    for (const sample of own)
      expect([name, Object.keys(sample.labels).sort()]).toEqual([name, [...labels].sort()]);
  }
});

it("counts requests that are no HTTP, and who leaves before the answer", async () => {
  await start();
  const { origin } = world.gateways[0]!;
  const id = await created();
  world.emulator.faults.add({ kind: "latency", latencyMs: 2_000, operation: "issueAccessToken", times: 1 });
  const left = request(world.client.url, {
    method: "POST",
    headers: { ...key, "content-type": "application/json" },
  });
  left.on("error", () => undefined);
  left.end(
    JSON.stringify({ query: IssueTokenDocument.toString(), variables: { identityId: id, scopes: ["CHAT"] } }),
  );
  await until(async () => (await now()).value("http_requests_in_flight") === 2);
  left.destroy();
  await until(
    async () => (await now()).value("http_requests_total", { route: "graphql", status: "none" }) === 1,
  );
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(origin).port) });
  socket.end("NOT HTTP\r\n\r\n");
  socket.resume();
  await until(async () => (await now()).value("requests_refused_total", { code: "BAD_REQUEST" }) === 1);
});
