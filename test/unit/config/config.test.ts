/** Every variable: accepted, refused, documented; and what production refuses. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { developmentAccessKey, developmentSecondaryKey } from "../../../emulator/development";
import { ownEmulatorPort } from "../../../bin/own-emulator";
import { ConfigError, loadConfig, type Environment } from "../../../src/config";
import { describeConfig } from "../../../src/config/describe";
import { describeVariables } from "../../../src/config/variables";

const acs = { ACS_CONNECTION_STRING: "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0" };
const key = (fill: number) => Buffer.alloc(32, fill).toString("base64");
const hash = "a".repeat(64);
const guid = (last: number) => `00000000-0000-4000-8000-00000000000${last}`;

function problemsOf(environment: Environment): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

it("takes a connection string alone, with defaults fit for development", () => {
  const config = loadConfig(acs);
  expect(config).toMatchObject({
    production: false,
    http: { host: "127.0.0.1", port: 4000, corsOrigins: [] },
    acs: {
      resources: [
        {
          endpoint: "https://contoso.communication.azure.com",
          accessKey: "c2VjcmV0",
          resourceId: undefined,
          weight: 1,
          issuances: 1_000,
        },
      ],
      deadlineMs: 10_000,
    },
    redis: undefined,
    tokens: { minRemainingMs: 900_000 },
    explorer: true,
  });
  expect(config.access.developmentKey).toHaveLength(32);
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.http)).toBe(true);
});

it("makes another development key at each start, unless one is given", () => {
  expect(loadConfig(acs).access.developmentKey).not.toBe(loadConfig(acs).access.developmentKey);
  const given = "sixteen-characters-or-more";
  expect(loadConfig({ ...acs, DEVELOPMENT_API_KEY: given }).access.developmentKey).toBe(given);
});

describe("several resources", () => {
  const [a, b] = [
    `endpoint=https://a.communication.azure.com/;accesskey=c2VjcmV0 resource-id=${guid(1)}`,
    `endpoint=https://b.communication.azure.com/;accesskey=YW5vdGhlcg== resource-id=${guid(2)}`,
  ];
  const resources = (environment: Environment) => loadConfig(environment).acs.resources;

  it("are entries with fields, by key and by Entra, separated by commas or newlines", () => {
    const found = resources({
      ACS_CONNECTION_STRING: `${a} weight=3 # the old one\n${b.toUpperCase().replace("ENDPOINT", "Endpoint").replace("RESOURCE-ID", "resource-id")} rate-limit=4000,`,
      ACS_ENDPOINT: `https://c.communication.azure.com/ weight=0 resource-id=${guid(3)}`,
      ACS_RATE_LIMIT: "2000",
    });
    expect(found).toMatchObject([
      { endpoint: "https://a.communication.azure.com", weight: 3, resourceId: guid(1), issuances: 2_000 },
      { endpoint: "https://b.communication.azure.com", weight: 1, resourceId: guid(2), issuances: 4_000 },
      { accessKey: undefined, weight: 0, resourceId: guid(3), issuances: 2_000 },
    ]);
  });

  it("leave one alone what it was, in every form that it had", () => {
    const plain = resources(acs);
    for (const form of [
      " endpoint=https://contoso.communication.azure.com/; accesskey=c2VjcmV0; ",
      "Endpoint=https://contoso.communication.azure.com;AccessKey=c2VjcmV0",
    ]) {
      expect(resources({ ACS_CONNECTION_STRING: form })).toEqual(plain);
    }
    const id = guid(1);
    const withId = resources({ ...acs, ACS_RESOURCE_ID: id.toUpperCase(), ACS_RATE_LIMIT: "5" });
    expect(withId).toMatchObject([{ resourceId: id, issuances: 5 }]);
    const fields = { ACS_CONNECTION_STRING: `${acs.ACS_CONNECTION_STRING} resource-id=${id} rate-limit=5` };
    expect(resources(fields)).toEqual(withId);
    expect(resources({ ...fields, ACS_RESOURCE_ID: id })).toEqual(withId);
  });

  it.each([
    [{ ACS_CONNECTION_STRING: `${a},${a.replace(guid(1), guid(2))}` }, "twice: use one key, or Entra."],
    [
      { ACS_CONNECTION_STRING: `${a},${b.replace(guid(2), guid(1))}` },
      `two resources the resource-id ${guid(1)}`,
    ],
    [
      { ACS_CONNECTION_STRING: `${a},${b.replace(/ res.*/, "")}` },
      "ACS_CONNECTION_STRING must give a resource-id=… to each of several resources, and has none for b.communication.azure.com:",
    ],
    [
      { ACS_CONNECTION_STRING: a, ACS_ENDPOINT: "https://c.communication.azure.com" },
      "ACS_ENDPOINT must give a resource-id=… to each of several resources, and has none for c.communication.azure.com:",
    ],
    [
      { ACS_CONNECTION_STRING: `${a},${b}`, ACS_RESOURCE_ID: guid(1) },
      "ACS_RESOURCE_ID must not be set with several resources",
    ],
    [
      { ACS_CONNECTION_STRING: a, ACS_RESOURCE_ID: guid(2) },
      "ACS_RESOURCE_ID must be what resource-id= says",
    ],
    [{ ACS_CONNECTION_STRING: `${a} weight=0,${b} weight=0` }, "some resource a weight above 0"],
    [
      { ACS_CONNECTION_STRING: `${a} weight=1001` },
      "must give a.communication.azure.com a weight from 0 to 1000",
    ],
    [
      { ACS_CONNECTION_STRING: `${a} rate-limit=0` },
      "a.communication.azure.com a rate-limit from 1 to 1000000",
    ],
    [{ ACS_CONNECTION_STRING: `${a}x` }, "a.communication.azure.com a resource-id that is its immutable id"],
    [{ ACS_CONNECTION_STRING: `${a} wieght=1` }, "each followed by weight=…, resource-id=… or rate-limit=…"],
    [{ ACS_CONNECTION_STRING: `${a}\nendpoint=nowhere;accesskey=c2VjcmV0` }, "must look like endpoint="],
    [{ ACS_ENDPOINT: " , " }, "ACS_ENDPOINT must look like https://"],
  ] as [Environment, string][])("are refused in one readable message: %j", (environment, problem) => {
    const problems = problemsOf(environment);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
    expect(problems[0]).not.toMatch(/c2VjcmV0|YW5vdGhlcg/);
  });

  it("are all shown, their keys as fingerprints", () => {
    const config = loadConfig({ ACS_CONNECTION_STRING: `${a},${b} weight=2`, ACS_ENDPOINT: "" });
    const shown = describeConfig(config);
    expect(shown).toMatchObject({
      acs: {
        resources: [
          { endpoint: "https://a.communication.azure.com", resourceId: guid(1), weight: 1 },
          { accessKey: expect.stringMatching(/^sha256:[0-9a-f]{8}…$/), resourceId: guid(2), weight: 2 },
        ],
      },
    });
    expect(JSON.stringify(shown)).not.toMatch(/c2VjcmV0|YW5vdGhlcg/);
  });

  it("have no emulator's key among them in production, and no plain http", () => {
    const production = { NODE_ENV: "production", API_KEYS: `backend:${hash} rights=all` };
    const emulated = `endpoint=https://e/;accesskey=${developmentAccessKey} resource-id=${guid(3)}`;
    expect(problemsOf({ ...production, ACS_CONNECTION_STRING: `${a},${emulated}` })).toEqual([
      "ACS_CONNECTION_STRING has the emulator's published access key, which production refuses.",
    ]);
    const plain = b.replace("https://b.communication.azure.com", "http://127.0.0.1:1");
    expect(problemsOf({ ...production, ACS_CONNECTION_STRING: `${a},${plain}` })).toEqual([
      "ACS_CONNECTION_STRING must have an https endpoint in production.",
    ]);
  });
});

it("reads every variable without white space around its value", () => {
  const config = loadConfig({
    ACS_CONNECTION_STRING: `\t${acs.ACS_CONNECTION_STRING}\r`,
    PORT: "4001\r",
    EXPLORER: " false\n",
    ONLY_LISTED_OPERATIONS: "\r\n",
    LOG_LEVEL: "warn ",
    AUDIT_LOG: "Stderr\r",
    DEVELOPMENT_API_KEY: " sixteen-characters-or-more\r",
    HTTPS_PROXY: "\r",
  });
  expect(config).toMatchObject({
    http: { port: 4_001 },
    explorer: false,
    operations: { onlyListed: false },
    logLevel: "warn",
    audit: "stderr",
    access: { developmentKey: "sixteen-characters-or-more" },
    acs: { resources: [{ endpoint: "https://contoso.communication.azure.com", throughProxy: false }] },
  });
  expect(ownEmulatorPort({ ACS_CONNECTION_STRING: "\r", EMULATOR_PORT: "4011\r" })).toBe(4_011);
});

it("takes an empty variable for one that is not set", () => {
  expect(problemsOf({ ...acs, REDIS_URL: "", PORT: "" })).toEqual([]);
});

describe("refuses, naming the variable and saying what it wants", () => {
  it.each([
    [{ PORT: "http" }, "PORT must be a whole number from 0 to 65535."],
    [{ PORT: "65536" }, "PORT must be a whole number from 0 to 65535."],
    [{ ACS_TIMEOUT_MS: "10" }, "ACS_TIMEOUT_MS must be a whole number from 1000 to 20000."],
    [{ ACS_TIMEOUT_MS: "20001" }, "ACS_TIMEOUT_MS must be a whole number from 1000 to 20000."],
    [{ ACS_MAX_CONNECTIONS: "0" }, "ACS_MAX_CONNECTIONS must be a whole number from 1 to 1000."],
    [{ ACS_RESOURCE_ID: "contoso" }, "ACS_RESOURCE_ID must be the resource's immutable id, a GUID."],
    [{ REDIS_URL: "localhost:6379" }, "REDIS_URL must look like redis://host:6379"],
    [{ REDIS_URL: "redis:localhost" }, "REDIS_URL must look like redis://host:6379"],
    [{ REDIS_TIMEOUT_MS: "-1" }, "REDIS_TIMEOUT_MS must be a whole number"],
    [{ TOKEN_ENCRYPTION_KEYS: "k1:short" }, "TOKEN_ENCRYPTION_KEYS must be <key id>:<base64 of 32 bytes>"],
    [
      { TOKEN_ENCRYPTION_KEYS: `a:${key(1)},a:${key(2)}` },
      "TOKEN_ENCRYPTION_KEYS must not use a key id twice.",
    ],
    [{ MIN_REMAINING_MINUTES: "10" }, "MIN_REMAINING_MINUTES must be a whole number from 11 to 59."],
    [{ MAX_CACHED_IDENTITIES: "0" }, "MAX_CACHED_IDENTITIES must be"],
    [{ API_KEYS: "backend:secret" }, "API_KEYS must be <name>:<SHA-256 of the key in hex>"],
    [{ DEVELOPMENT_API_KEY: "short" }, "DEVELOPMENT_API_KEY must have at least 16 characters."],
    [{ CORS_ORIGINS: "https://app.example.com/path" }, "CORS_ORIGINS must be origins such as"],
    [{ BODY_LIMIT_BYTES: "1" }, "BODY_LIMIT_BYTES must be a whole number"],
    [{ EXPLORER: "yes" }, "EXPLORER must be true or false."],
    [{ EXPLORER: "False" }, "EXPLORER must be true or false."],
    [{ ONLY_LISTED_OPERATIONS: "1" }, "ONLY_LISTED_OPERATIONS must be true or false."],
    [{ EXPLORER: "off" }, "EXPLORER must be true or false."],
    [{ LOG_REQUESTS: "none" }, "LOG_REQUESTS must be one of"],
    [{ AUDIT_LOG: "none" }, "AUDIT_LOG must be stdout, stderr, off or the path of a file"],
    [{ AUDIT_LOG: "true" }, "AUDIT_LOG must be stdout, stderr, off or the path of a file"],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent."],
    [
      { ACS_ENDPOINT: "https://contoso.communication.azure.com" },
      "ACS_CONNECTION_STRING and ACS_ENDPOINT must not name https://contoso.communication.azure.com twice",
    ],
    [{ METRICS_PORT: "4000" }, "METRICS_PORT must be another port than PORT"],
    [{ PORT: "9464", METRICS_PORT: "9464" }, "METRICS_PORT must be another port than PORT"],
    [{ METRICS_HOST: "127.0.0.1" }, "METRICS_PORT must be set with METRICS_HOST."],
    [{ METRICS_PORT: "tcp://10.0.0.1:80" }, "METRICS_PORT must be a whole number"],
    [{ METRICS_PORTS: "9464" }, "METRICS_PORTS is not a variable of the gateway."],
    [{ ACS_CONECTION_STRING: "x" }, "ACS_CONECTION_STRING is not a variable of the gateway."],
    [{ REDIS_URLS: "x" }, "REDIS_URLS is not a variable of the gateway."],
  ] as [Environment, string][])("%j", (environment, problem) => {
    const problems = problemsOf({ ...acs, ...environment });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    [{}, "ACS_CONNECTION_STRING or ACS_ENDPOINT must be set"],
    [{ ACS_ENDPOINT: "http://contoso.communication.azure.com" }, "ACS_ENDPOINT must look like https://"],
    [
      { ACS_CONNECTION_STRING: "accesskey=c2VjcmV0;endpoint=https://x" },
      "ACS_CONNECTION_STRING must look like endpoint=",
    ],
    [{ ACS_CONNECTION_STRING: "endpoint=https://x/path;accesskey=c2VjcmV0" }, "without a path"],
    [
      { ACS_CONNECTION_STRING: "endpoint=http://10.0.0.1:4010/;accesskey=c2VjcmV0" },
      "must have an https endpoint",
    ],
    [{ ACS_CONNECTION_STRING: "endpoint=https://x/;accesskey=not base64" }, "accesskey=<base64 key>"],
  ] as [Environment, string][])("%j", (environment, problem) => {
    expect(problemsOf(environment).join()).toContain(problem);
  });
});

it("lists every problem in one message, and no secret in it", () => {
  const problems = problemsOf({
    PORT: "x",
    LOG_LEVEL: "x",
    ACS_CONNECTION_STRING: "endpoint=nowhere;accesskey=dG9wc2VjcmV0",
    API_KEYS: "backend:topsecret",
    TOKEN_ENCRYPTION_KEYS: "k:topsecret",
  });
  expect(problems).toHaveLength(5);
  expect(problems.join()).not.toMatch(/topsecret|dG9wc2VjcmV0/);
});

it("tells what contradicts beside what is malformed, and calls nothing missing that is there", () => {
  expect(problemsOf({ NODE_ENV: "production", PORT: "x", ACS_ENDPOINT: "nowhere" })).toEqual([
    "PORT must be a whole number from 0 to 65535.",
    "ACS_ENDPOINT must look like https://<resource>.communication.azure.com; several separated by commas, each followed by weight=…, resource-id=… or rate-limit=… if it needs them.",
    "API_KEYS, API_KEYS_FILE or OIDC_ISSUERS must be set in production: who may call? `acs-token-gateway keys new-api-key <name>` makes an API key.",
  ]);
});

it("ignores variables of others, such as Kubernetes sets for services", () => {
  const others = {
    REDIS_SERVICE_HOST: "x",
    REDIS_PORT: "tcp://x",
    REDIS_PASSWORD: "x",
    ACS_TOKEN_GATEWAY_PORT: "x",
    API_KEY: "x",
  };
  expect(problemsOf({ ...acs, ...others })).toEqual([]);
});

it("accepts http for this machine only", () => {
  for (const host of ["127.0.0.1:4010", "localhost:4010", "[::1]:4010", "127.8.9.1"]) {
    expect(problemsOf({ ACS_CONNECTION_STRING: `endpoint=http://${host}/;accesskey=c2VjcmV0` })).toEqual([]);
  }
  for (const host of ["127.0.0.1.example.com", "localhost.example.com", "example.com"]) {
    expect(problemsOf({ ACS_CONNECTION_STRING: `endpoint=http://${host}/;accesskey=c2VjcmV0` })).toHaveLength(
      1,
    );
  }
});

describe("in production", () => {
  const production = { ...acs, NODE_ENV: "production", API_KEYS: `backend:${hash} rights=all` };

  it("listens everywhere, serves no explorer and has no development key", () => {
    const config = loadConfig(production);
    expect(config).toMatchObject({ production: true, http: { host: "0.0.0.0" }, explorer: false });
    expect(config.access).toMatchObject({ developmentKey: undefined, apiKeys: [{ name: "backend" }] });
  });

  it.each([
    ...["production ", "\tproduction\n", "production\r", "Production", "PRODUCTION"],
    ...[
      "prod",
      "staging",
      "Staging\r\n",
      "develop",
      "dev",
      "tests",
      "development1",
      "false",
      "0",
      "\u200bdevelopment",
    ],
  ])("NODE_ENV=%j has its rules", (NODE_ENV) => {
    const config = loadConfig({ ...production, NODE_ENV });
    expect(config).toMatchObject({ production: true, explorer: false, audit: "stdout", logRequests: "all" });
    expect(config.access.developmentKey).toBeUndefined();
    expect(config.rulesReason).toContain(`NODE_ENV is ${JSON.stringify(NODE_ENV.trim())}`);
    expect(
      problemsOf({ ...production, NODE_ENV, DEVELOPMENT_API_KEY: "sixteen-characters-or-more" }),
    ).toEqual(["DEVELOPMENT_API_KEY must not be set in production: use API_KEYS."]);
    expect(ownEmulatorPort({ NODE_ENV })).toBeUndefined();
  });

  it.each([undefined, "", "  ", "\r", "development", "Development", " test\r", "TEST"])(
    "NODE_ENV=%j has those of development",
    (NODE_ENV) => {
      const config = loadConfig({ ...acs, NODE_ENV });
      expect(config).toMatchObject({ production: false, explorer: true, audit: "off" });
      expect(config.access.developmentKey).toHaveLength(32);
      const name = NODE_ENV?.trim() ?? "";
      expect(config.rulesReason).toBe(
        name === "" ? "NODE_ENV is not set" : `NODE_ENV is ${JSON.stringify(name)}`,
      );
      expect(ownEmulatorPort({ NODE_ENV })).toBe(4010);
    },
  );

  it("says what NODE_ENV is, however long, in a few words on one line", () => {
    const { rulesReason } = loadConfig({ ...production, NODE_ENV: `a\nb${"c".repeat(10_000)}` });
    expect(rulesReason).toMatch(
      /^NODE_ENV is "a\\nbc{37}…", and all but development and test have .{10,40}$/,
    );
  });

  it.each([
    [{ API_KEYS: undefined }, "API_KEYS, API_KEYS_FILE or OIDC_ISSUERS must be set in production"],
    [{ ACS_CONNECTION_STRING: undefined }, "ACS_CONNECTION_STRING or ACS_ENDPOINT must be set"],
    [
      { DEVELOPMENT_API_KEY: "sixteen-characters-or-more" },
      "DEVELOPMENT_API_KEY must not be set in production",
    ],
    [
      { REDIS_URL: "redis://redis:6379" },
      "TOKEN_ENCRYPTION_KEYS or TOKEN_ENCRYPTION_KEYS_FILE must be set in production with REDIS_URL",
    ],
    [
      { ACS_CONNECTION_STRING: "endpoint=http://127.0.0.1:4010/;accesskey=c2VjcmV0" },
      "must have an https endpoint in production",
    ],
    ...[
      { OIDC_ISSUERS: "https://login.example.com audience=a" },
      {
        OIDC_ISSUERS: "https://a.example.com audience=a identity-claim=acs, https://b.example.com audience=b",
      },
      { DIRECTORY_PATH: "/var/lib/directory" },
    ].map((environment): [Environment, string] => [
      environment,
      "DATABASE_URL must be set in production for users' identities",
    ]),
    ...[developmentAccessKey, developmentSecondaryKey].map((accessKey): [Environment, string] => [
      { ACS_CONNECTION_STRING: `endpoint=https://contoso.communication.azure.com/;accesskey=${accessKey}` },
      "has the emulator's published access key",
    ]),
    // Another text for the same bytes: base64 leaves bits of the last character unused.
    [
      {
        ACS_CONNECTION_STRING: `endpoint=https://contoso.communication.azure.com/;accesskey=${developmentAccessKey.replace(/(.)(=+)$/, (_all, last: string, end: string) => String.fromCharCode(last.charCodeAt(0) + 1) + end)}`,
      },
      "has the emulator's published access key",
    ],
  ] as [Environment, string][])("refuses %j", (environment, problem) => {
    const problems = problemsOf({ ...production, ...environment });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    ["PostgreSQL", { DATABASE_URL: "postgres://user:password@db:5432/gateway" }, true],
    ["the issuer", { OIDC_ISSUERS: "https://login.example.com audience=a identity-claim=acs" }, false],
    ["the only gateway", { REPLICAS: "1" }, true],
  ] as [string, Environment, boolean][])(
    "lets %s keep users' identities",
    (_who, environment, inDirectory) => {
      const users = { ...production, OIDC_ISSUERS: "https://login.example.com audience=a" };
      const { directory } = loadConfig({ ...users, ...environment });
      expect(directory !== undefined).toBe(inDirectory);
    },
  );
});

it("shows the configuration in effect without its secrets", () => {
  const apiKey = "a-key-that-nobody-may-see";
  const secret = randomBytes(32).toString("base64");
  const shown = JSON.stringify(
    describeConfig(
      loadConfig({
        ...acs,
        DEVELOPMENT_API_KEY: apiKey,
        REDIS_URL: "redis://user:password@host:6379",
        TOKEN_ENCRYPTION_KEYS: `k1:${secret}`,
      }),
    ),
  );
  for (const hidden of ["c2VjcmV0", apiKey, "password", secret]) expect(shown).not.toContain(hidden);
  expect(shown).toContain('"address":"host:6379"');
  expect(shown).toContain('"credentials":"set"');
  expect(shown).toContain(
    `k1:sha256:${createHash("sha256").update(Buffer.from(secret, "base64")).digest("hex").slice(0, 8)}`,
  );
});

it.each([
  "redis://:pa@s3cret@host:6379/2",
  "rediss-sentinel://user:pa%3As3cret@host:26379,other/2#main",
  "redis-cluster://:s3cret@host:6379,[::1]:7000",
])("shows where Redis is and nothing of the password in %s", (url) => {
  const config = loadConfig({ ...acs, REDIS_URL: url, REDIS_SENTINEL_PASSWORD: "another s3cret" });
  const shown = JSON.stringify(describeConfig(config));
  expect(shown).not.toContain("s3cret");
  expect(shown).toContain('"address":"host:');
});

it.each([
  "redis://",
  "redis://host:6379?password=hidden",
  "redis://host,other",
  "redis://host:99999",
  "redis://host/0#name",
  "redis-cluster://host/1",
  "redis-sentinel://",
  "redis-sentinel://:%E0@host",
  "http://host",
])("refuses %s as a Redis and says what would be one, without repeating it", (url) => {
  const problems = problemsOf({ ...acs, REDIS_URL: url });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^REDIS_URL must look like redis:\/\/host:6379, redis-sentinel:/);
  expect(problems[0]).not.toContain("hidden");
});

it("reads where Redis is from its URL", () => {
  const addressOf = (url: string) => loadConfig({ ...acs, REDIS_URL: url }).redis?.address;
  expect(addressOf("rediss-sentinel://user:p%40ss@a:1,b,[::1]:3/4#main")).toEqual({
    kind: "sentinel",
    tls: true,
    endpoints: [
      { host: "a", port: 1 },
      { host: "b", port: 26379 },
      { host: "::1", port: 3 },
    ],
    username: "user",
    password: "p@ss",
    database: 4,
    primaryName: "main",
  });
  expect(addressOf("redis-cluster://a,b:7000")).toMatchObject({
    kind: "cluster",
    tls: false,
    endpoints: [
      { host: "a", port: 6379 },
      { host: "b", port: 7000 },
    ],
  });
  expect(addressOf("redis://host")).toMatchObject({ kind: "standalone", username: undefined, database: 0 });
});

it("has every variable in the documentation, and no other", () => {
  const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "configuration.md"), "utf8");
  const documented = [...page.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name);
  const known = describeVariables().map(({ name }) => name);
  expect(documented.filter((name) => name !== "EMULATOR_PORT").sort()).toEqual([...known].sort());
});

it("serves metrics on a port of their own only where one is set, on the address of the other unless told", () => {
  expect(loadConfig(acs).metrics).toBeUndefined();
  expect(loadConfig({ ...acs, METRICS_PORT: "9464", HOST: "10.0.0.1" }).metrics).toEqual({
    host: "10.0.0.1",
    port: 9464,
  });
  expect(loadConfig({ ...acs, METRICS_PORT: "9464", METRICS_HOST: "::1" }).metrics?.host).toBe("::1");
});
