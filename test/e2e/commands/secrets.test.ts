/** A whole run at the chattiest log level, with every kind of failure: nothing secret is in what the gateway writes. */
import { createConnection } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { developmentAccessKey, developmentSecondaryKey } from "../../../emulator/development";
import type { Fault } from "../../../emulator/fault";
import {
  CreateIdentityAndTokenDocument,
  DeleteIdentityDocument,
  ExchangeTeamsTokenDocument,
  IssueTokenDocument,
  RefreshTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import { GraphqlClient } from "../../support/graphql-client";
import { startRedis, type RedisServer } from "../../support/redis-server";
import { until } from "../../support/until";
import { announced, Program, runProgram, type Announced, type Ended } from "../../support/program";

const apiKey = "a-development-key-that-is-looked-for";
const wrongKey = "a-wrong-key-that-is-looked-for-too";
const redisPassword = "a-redis-password-that-is-looked-for";
const encryptionKey = Buffer.alloc(32, "an encryption key").toString("base64");

/** Every JWT that anybody in the run has seen or sent. */
const tokens = new Set<string>();
let ended: Ended;
let connectionString: string;

beforeAll(async () => {
  await using redis = await startRedis({
    args: ["--user", "gateway", "on", `>${redisPassword}`, "~*", "&*", "+@all"],
  });
  await using gateway = new Program({
    environment: {
      LOG_LEVEL: "trace",
      DEVELOPMENT_API_KEY: apiKey,
      REDIS_URL: redis.url.replace("//", `//gateway:${redisPassword}@`),
      TOKEN_ENCRYPTION_KEYS: `k1:${encryptionKey}`,
      ACS_TIMEOUT_MS: "1000",
    },
  });
  const where = await announced(gateway);
  connectionString = where.connectionString;
  const quickstart = ["quickstart", "--url", where.url, "--api-key", apiKey, "--emulator", where.emulator];
  remember((await runProgram({ args: quickstart })).stdout);
  await failOnAzure(where);
  await badInput(where);
  await loseRedis(where, redis, () => gateway.stderr);
  ended = await gateway.end("SIGTERM");
}, 60_000);

/** Faults whose answers make the Azure SDK throw errors with tokens, keys and bodies in their texts. */
async function failOnAzure(where: Announced): Promise<void> {
  const client = new GraphqlClient(where.url, { "x-api-key": apiKey });
  const faults: Fault[] = [
    { kind: "wrongSuccess" },
    { kind: "missingExpiresOn" },
    { kind: "malformedJson" },
    { kind: "resetInBody" },
    { kind: "resetAfter" },
    { kind: "hangAfter" },
    { kind: "html502" },
    { kind: "status", status: 401, body: `{"error":{"code":"Denied","message":"${connectionString}"}}` },
    { kind: "status", status: 400, body: `{"error":{"code":"${developmentAccessKey}","message":"no"}}` },
  ];
  const { createIdentity } = await client.data(CreateIdentityAndTokenDocument, {});
  const identityId = createIdentity.identity.id;
  for (const fault of faults) {
    await control(where, "faults", "POST", fault);
    remember(JSON.stringify(await client.send(RefreshTokenDocument, { identityId })));
    remember(JSON.stringify(await client.send(CreateIdentityAndTokenDocument, {})));
    await control(where, "faults", "DELETE");
  }
  // After so many failures Azure is given a moment.
  await until(async () => {
    const { errors } = await client.send(CreateIdentityAndTokenDocument, {});
    return errors === undefined;
  });
}

/** Secrets where they do not belong: as ids, in bodies that are not JSON, in headers, in the path. */
async function badInput(where: Announced): Promise<void> {
  const client = new GraphqlClient(where.url, { "x-api-key": apiKey });
  const { accessToken, identity } = (await client.data(CreateIdentityAndTokenDocument, {})).createIdentity;
  const token = accessToken?.token ?? "";
  remember(token);
  const ids = {
    clientId: "c0ffee00-0000-4000-8000-000000000001",
    userObjectId: "c0ffee00-0000-4000-8000-000000000002",
  };
  const teams = (await control(where, "teams-token", "POST", ids)) as { access_token: string };
  remember(teams.access_token);
  const exchange = { ...ids, teamsUserAadToken: teams.access_token };
  remember(JSON.stringify(await client.data(ExchangeTeamsTokenDocument, exchange)));
  await client.error(ExchangeTeamsTokenDocument, { ...exchange, clientId: token });
  await client.error(ExchangeTeamsTokenDocument, { ...exchange, teamsUserAadToken: token });
  await client.error(RevokeTokensDocument, { identityId: token });
  await client.error(`{ viewer { ${token.replaceAll(/[^\w]/g, "_")} } }`);
  await new GraphqlClient(where.url, { "x-api-key": wrongKey }).error("{ viewer { name } }");
  await new GraphqlClient(where.url, { "x-api-key": apiKey, authorization: `Bearer ${token}` }).send("{");
  const post = { method: "POST", headers: { "content-type": "application/json", "x-api-key": apiKey } };
  expect((await fetch(where.url, { ...post, body: token })).status).toBe(400);
  await fetch(`${where.origin}/${token}?accesskey=${developmentAccessKey}`);
  await rawRequest(where, `GET /${token} HTTP/1.1\r\nhost: a\r\nx api key: ${apiKey}\r\n\r\n`);
  await client.data(DeleteIdentityDocument, { identityId: identity.id });
  await client.error(IssueTokenDocument, { identityId: identity.id, scopes: ["CHAT"] });
}

/** Redis refuses, is silent, is gone, and comes back. */
async function loseRedis(where: Announced, redis: RedisServer, log: () => string): Promise<void> {
  const client = new GraphqlClient(where.url, { "x-api-key": apiKey });
  const { createIdentity } = await client.data(CreateIdentityAndTokenDocument, {});
  const identityId = createIdentity.identity.id;
  const issue = async () => {
    remember(JSON.stringify(await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })));
  };
  redis.pause();
  await issue();
  await client.error(RevokeTokensDocument, { identityId });
  redis.resume();
  await redis.kill();
  await issue();
  // The gateway tries to reconnect, and says that it cannot.
  while (!log().includes("Redis connection")) await delay(20);
  await redis.restart();
  await client.data(RevokeTokensDocument, { identityId }).catch(() => undefined);
  await issue();
}

async function control(where: Announced, route: string, method: string, body?: object): Promise<unknown> {
  const answer = await fetch(new URL(`/_emulator/${route}`, where.emulator), {
    method,
    headers: { "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  expect(answer.status).toBe(200);
  return await answer.json();
}

function rawRequest({ url }: Announced, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(new URL(url).port), "127.0.0.1", () => socket.write(text));
    socket.resume().once("close", () => {
      resolve();
    });
    socket.once("error", reject);
  });
}

function remember(text: string): void {
  for (const [token] of text.matchAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g)) tokens.add(token);
}

describe("a run with failures of every kind, logged at the level trace", () => {
  it("is what it claims to be: tokens were seen, and each failure is in the log", () => {
    expect(ended.code).toBe(0);
    expect(tokens.size).toBeGreaterThan(8);
    const messages = new Set(logLines().map((line) => line.msg));
    for (const message of [
      "call to Azure Communication Services",
      "token served",
      "tokens revoked",
      "identity created",
      "identity deleted",
      "token store unavailable; going on without it",
      "Redis connection",
    ]) {
      expect(messages).toContain(message);
    }
    const failures = logLines().filter((line) => line.outcome === "failed");
    expect(failures.length).toBeGreaterThanOrEqual(9);
  });

  it("shows the development key and the emulator's connection string at the start, and never again", () => {
    const [announcement = "", ...rest] = ended.stdout.split("Ctrl-C ends it.\n");
    // Once by itself, and in the links to the explorer and the status page.
    expect(announcement.split(apiKey)).toHaveLength(4);
    expect(announcement.split(connectionString)).toHaveLength(2);
    expect(rest.join("").trim()).toBe("");
    expect(ended.stderr).not.toContain(apiKey);
  });

  it("has no token in its output, not even a part of one", () => {
    const output = ended.stdout + ended.stderr;
    expect(output).not.toMatch(/eyJ/);
    for (const token of tokens) {
      const [, payload = "", signature = ""] = token.split(".");
      expect(output).not.toContain(payload.slice(0, 40));
      expect(output).not.toContain(signature.slice(0, 40));
    }
  });

  it("has no key and no password in its log", () => {
    for (const secret of [
      wrongKey,
      redisPassword,
      encryptionKey,
      developmentAccessKey,
      developmentSecondaryKey,
      "accesskey=YWNz",
    ]) {
      expect(ended.stderr).not.toContain(secret);
    }
  });

  it("writes lines of JSON and nothing else to its log", () => {
    expect(logLines().length).toBeGreaterThan(20);
  });
});

function logLines(): { msg?: string; outcome?: string }[] {
  return ended.stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { msg?: string; outcome?: string });
}
