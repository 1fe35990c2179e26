/** The log of a running gateway under requests of all kinds: a line for each, whole, and without a secret. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { startEmulator } from "../../../emulator/emulator";
import { CreateIdentityAndTokenDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { freshEnvironment, programFile } from "../../support/program";
import { endWithParent } from "../../support/end-with-parent";
import { startGatewayProcess } from "../../support/gateway-process";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer } from "../../support/issuer";
import { seededRandom } from "../../support/random";
import { startRedis } from "../../support/redis-server";
import { until } from "../../support/until";
import { developmentKey, encryptionKeys } from "../../support/world";

const apiKey = "kH3nqk0lQZ5zmhI4Tqg2xq8H1mT8cVbYtZ0aPz-w_3E";
const redisPassword = "the-pass-of-redis";

type Line = Record<string, unknown>;
const parsed = (log: string): Line[] =>
  log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
const requestsIn = (log: string) => parsed(log).filter(({ msg }) => msg === "request");

it("has a line for each request, with nothing secret in any, whatever is sent", async () => {
  await using redis = await startRedis();
  const connection = new Redis(redis.url);
  await connection.config("SET", "requirepass", redisPassword).finally(() => {
    connection.disconnect();
  });
  await using emulator = await startEmulator({ limits: false });
  await using issuer = await startIssuer();
  await using gateway = await startGatewayProcess({
    ACS_CONNECTION_STRING: emulator.connectionString,
    API_KEYS: `backend:${hashApiKey(apiKey).toString("hex")} rights=all`,
    OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
    REDIS_URL: redis.url.replace("redis://", `redis://:${redisPassword}@`),
    LOG_REQUESTS: "all",
    LOG_LEVEL: "trace",
  });
  const client = new GraphqlClient(gateway.url, { "x-api-key": apiKey });
  const { createIdentity } = await client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
  const acsToken = createIdentity.accessToken?.token ?? "";
  const userToken = await issuer.token("ada", { acs: createIdentity.identity.id });
  const accessKey = /accesskey=(.*)$/.exec(emulator.connectionString)?.[1] ?? "";
  const secrets = {
    ...{ apiKey, developmentKey, redisPassword, acsToken, userToken, accessKey },
    encryptionKey: encryptionKeys.split(":")[1] ?? "",
    connectionString: emulator.connectionString,
  };

  const asUser = new GraphqlClient(gateway.url, { authorization: `Bearer ${userToken}` });
  for (let times = 0; times < 3; times++) {
    const { issueToken } = await asUser.data(IssueTokenDocument, {
      identityId: createIdentity.identity.id,
      scopes: ["CHAT"],
    });
    expect(issueToken.accessToken.source).toBe("CACHE");
  }
  await new GraphqlClient(gateway.url).error(IssueTokenDocument, {
    identityId: createIdentity.identity.id,
    scopes: ["CHAT"],
  });
  await client.error("{ nothing }");
  await fetch(`${gateway.origin}/nowhere`);

  // What clients that are lost, or worse, put into the places that are logged.
  const random = seededRandom(1);
  const poisons = [
    ...Object.values(secrets),
    "\u001b[2J",
    "%0a%0d",
    '"}\n{"level":"fatal"',
    "x".repeat(6_000),
    "\u009b1m",
    "\ud83d\ude00",
  ];
  let sent = 0;
  const knock = async () => {
    const poison = random.pick(poisons);
    const line = encodeURI(poison).replaceAll("%5B", "[");
    const raw = Buffer.from(poison.replaceAll(/[\r\n]/g, " "), "utf8").toString("latin1");
    const bytes = random.pick([
      `GET /${line} HTTP/1.1\r\nhost: a\r\n\r\n`,
      `GET /${raw.replaceAll(" ", "+")} HTTP/1.1\r\nhost: a\r\n\r\n`,
      `GET /health/ready?${line} HTTP/1.1\r\nhost: a\r\nx-request-id: ${raw}\r\n\r\n`,
      `POST /graphql HTTP/1.1\r\nhost: a\r\nx-request-id: ${raw}\r\nuser-agent: ${raw}\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}`,
      `GET /graphql?query={${line}} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: ${raw}\r\nx-api-key: ${raw}\r\n\r\n`,
      `GET /graphql?query=query%20Q{__typename}&operationName=${line} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${raw}\r\n\r\n`,
      `${raw.slice(0, 20)} / HTTP/1.1\r\nhost: a\r\n\r\n`,
      `PUT /operations/log-level HTTP/1.1\r\nhost: ${raw}\r\nauthorization: ${raw}\r\ncontent-length: 0\r\n\r\n`,
    ]);
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.end(Buffer.from(bytes, "latin1"));
    socket.resume();
    await once(socket, "close");
    sent += 1;
  };
  for (let round = 0; round < 40; round++) await Promise.all(Array.from({ length: 10 }, knock));
  // Redis goes away, which foreign errors tell of.
  await redis.kill();
  await client.data(IssueTokenDocument, { identityId: createIdentity.identity.id, scopes: ["CHAT"] });
  await until(() => gateway.log.includes("Redis is away"));
  const last = "the-last-request";
  await client.send(
    IssueTokenDocument,
    { identityId: createIdentity.identity.id, scopes: ["CHAT"] },
    { headers: { "x-request-id": last } },
  );
  await until(() => gateway.log.includes(last));

  const { log } = gateway;
  for (const [name, secret] of Object.entries(secrets)) {
    expect([name, log.includes(secret), log.includes(encodeURIComponent(secret))]).toEqual([
      name,
      false,
      false,
    ]);
  }
  expect(log).not.toMatch(/[^\P{Cc}\n]/u);
  const requests = requestsIn(log);
  expect(requests.length).toBeGreaterThan(sent / 2);
  expect(requests).toContainEqual({
    ...{ level: "info", msg: "request", method: "POST", path: "/graphql", operation: "issueToken" },
    ...{ operationName: "IssueToken", outcome: "ok", status: 200, address: "127.0.0.1" },
    caller: { kind: "user", name: "ada", issuer: issuer.url },
    time: expect.any(String),
    requestId: expect.any(String),
    durationMs: expect.any(Number),
    bytes: expect.any(Number),
  });
  for (const expected of [
    { operation: "createIdentity", outcome: "ok", caller: { kind: "service", name: "backend" } },
    { operation: "issueToken", outcome: "UNAUTHENTICATED" },
    { outcome: "GRAPHQL_VALIDATION_FAILED" },
    { method: "GET", path: "/nowhere", outcome: "NOT_FOUND", status: 404 },
    { level: "debug", path: "/health/ready", status: 200 },
    { path: "/operations/log-level", outcome: "UNAUTHENTICATED", status: 401 },
  ])
    expect(requests).toContainEqual(expect.objectContaining(expected));
}, 180_000);

it("answers while nobody reads the log, creates nothing unrecorded, and loses no line", async () => {
  await using emulator = await startEmulator({ limits: false });
  const child = spawn(process.execPath, [programFile, "start"], {
    env: freshEnvironment({
      ACS_CONNECTION_STRING: emulator.connectionString,
      DEVELOPMENT_API_KEY: developmentKey,
      ACS_RATE_LIMIT: "1000000",
      LOG_REQUESTS: "all",
      AUDIT_LOG: "stderr",
      EXPLORER: "false",
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithParent(child);
  const ended = once(child, "exit");
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (some: string) => (stdout += some));
  await until(() => stdout.includes("Ctrl-C"), 30_000);
  const url = /(http:\S+\/graphql)/.exec(stdout)?.[1] ?? "";
  // Nobody reads stderr: its pipe is full after some hundred lines.
  const count = 1_000;
  let next = 0;
  const [answered, refused] = [[] as string[], [] as string[]];
  const agent = new Agent({ keepAlive: true });
  const body = JSON.stringify({ query: "mutation { createIdentity { identity { id } } }" });
  const ask = async (id: string) => {
    const sent = request(url, { method: "POST", agent });
    sent.setHeader("content-type", "application/json");
    sent.setHeader("x-api-key", developmentKey);
    sent.setHeader("x-request-id", id).end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    const told = await text(answer);
    if (told.startsWith('{"data":{"createIdentity"')) answered.push(id);
    else if (answer.statusCode === 503 && told.includes("AUDIT_UNAVAILABLE")) refused.push(id);
  };
  const worker = async () => {
    while (next < count) await ask(`request-${next++}`);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  expect(answered.length + refused.length).toBe(count);
  expect(answered.length).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (some: string) => (stderr += some));
  const ids = () =>
    requestsIn(stderr.slice(0, stderr.lastIndexOf("\n") + 1)).map(({ requestId }) => requestId);
  await until(() => ids().length >= count, 30_000);
  agent.destroy();
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  expect(new Set(ids()).size).toBe(count);
  expect(ids()).toHaveLength(count);
  const audited = parsed(stderr)
    .filter(({ action, outcome }) => action === "identity.create" && outcome === "ok")
    .map(({ requestId }) => requestId);
  expect(audited).toEqual(expect.arrayContaining(answered));
}, 180_000);
