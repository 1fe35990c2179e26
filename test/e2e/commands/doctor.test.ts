/** The doctor against real servers that are well, wrong, away and silent. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { diagnose, type Diagnosis } from "../../../bin/doctor";
import { startEmulator } from "../../../emulator/emulator";
import { makeCertificates } from "../../../emulator/tls";
import type { Environment } from "../../../src/config";
import { probeAcs } from "../../../src/services/azure/acs-probe";
import { systemClock } from "../../../src/services/clock";
import { scriptCommands } from "../../../src/services/redis/redis-probe";
import { startIssuer } from "../../support/issuer";
import { startOidcServer } from "../../support/oidc-server";
import { startPostgres, type PostgresServer } from "../../support/postgres-server";
import { startCluster } from "../../support/redis-cluster";
import { ask, startSentinel } from "../../support/redis-sentinel";
import { freePort } from "../../support/free-port";
import { startRedis } from "../../support/redis-server";
import { startTcpProxy } from "../../support/tcp-proxy";
import { announced, Program, runProgram } from "../../support/program";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-doctor-"));
});
afterAll(() => rm(folder, { recursive: true }));

const look = (environment: Environment, timeoutMs = 5_000) =>
  diagnose({ PORT: "0", ...environment }, timeoutMs);
/** `problem: what was seen` of each finding of a check. */
const seen = ({ findings }: Diagnosis, part: string, check: string) =>
  findings
    .filter((each) => each.part === part && each.check === check)
    .map(({ status, seen: text }) => `${status}: ${text}`);
const bad = ({ findings }: Diagnosis, part: string) =>
  findings.filter((each) => each.part === part && each.status !== "ok");

describe("the configuration", () => {
  it("is told variable by variable, and what is right is looked at all the same", async () => {
    await using redis = await startRedis();
    const found = await look({ PORT: "seventy", ACS_CONECTION_STRING: "x", REDIS_URL: redis.url });
    expect(found.status).toBe("problem");
    expect(seen(found, "configuration", "variables")).toEqual([
      "problem: PORT must be a whole number from 0 to 65535.",
      expect.stringMatching(/^problem: ACS_CONECTION_STRING is not a variable/),
    ]);
    expect(seen(found, "redis", "reachable")).toEqual([expect.stringMatching(/^ok: /)]);
  });

  it("is judged by what production can be without being refused", async () => {
    const keysFile = join(folder, "encryption-keys");
    await writeFile(keysFile, `k:${Buffer.alloc(32, 1).toString("base64")}\n`);
    await chmod(keysFile, 0o644);
    const soon = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
    await using port = await silent();
    const found = await look(
      {
        NODE_ENV: "production",
        ACS_CONNECTION_STRING: `endpoint=https://127.0.0.1:${port.port}/;accesskey=c2VjcmV0`,
        API_KEYS: [
          `old:${"a".repeat(64)} rights=token:issue:any expires=2020-01-01`,
          `soon:${"b".repeat(64)} rights=token:issue:any expires=${soon}`,
          `mighty:${"c".repeat(64)} rights=all`,
        ].join(","),
        TOKEN_ENCRYPTION_KEYS_FILE: keysFile,
        CORS_ORIGINS: "*",
        EXPLORER: "true",
        AUDIT_LOG: "off",
      },
      1_000,
    );
    const checks = bad(found, "configuration").map(({ check, status }) => `${check} ${status}`);
    expect(checks).toEqual([
      "cors warning",
      "explorer warning",
      "audit warning",
      "transport warning",
      "cache warning",
      "api-keys problem",
      "api-keys warning",
      "api-keys warning",
      "files problem",
    ]);
  });

  it("has a certificate that is looked at: expired, of another key, for other names", async () => {
    const write = async (name: string, text: string) => {
      await writeFile(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const day = 86_400_000;
    const expired = await makeCertificates("127.0.0.1", {
      notBefore: new Date(Date.now() - 2 * day),
      notAfter: new Date(Date.now() - day),
    });
    const other = await makeCertificates("127.0.0.1");
    const TLS_CERT_FILE = await write("cert.pem", expired.cert);
    const TLS_KEY_FILE = await write("key.pem", expired.key);
    const judged = await look({ HOST: "127.0.0.2", TLS_CERT_FILE, TLS_KEY_FILE });
    expect(bad(judged, "certificate").map(({ check, status }) => `${check} ${status}`)).toEqual([
      "valid problem",
      "names warning",
    ]);
    const mismatched = await look({ TLS_CERT_FILE, TLS_KEY_FILE: await write("other.pem", other.key) });
    expect(seen(mismatched, "certificate", "pair")).toEqual([expect.stringMatching(/do not fit together/)]);
  });
});

describe("Redis", () => {
  it("is told to be well", async () => {
    await using redis = await startRedis({
      args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
    });
    const found = await look({ REDIS_URL: redis.url });
    expect(bad(found, "redis")).toEqual([]);
    const checks = new Set(found.findings.filter(({ part }) => part === "redis").map(({ check }) => check));
    expect([...checks].sort()).toEqual(
      [
        "clock",
        "eviction",
        "latency",
        "memory",
        "persistence",
        "reachable",
        "replicas",
        "rights",
        "version",
      ].sort(),
    );
    expect(await ask(redis.port, "DBSIZE")).toBe(0);
  });

  it("is told to evict what is needed, and to be full", async () => {
    await using redis = await startRedis({
      args: ["--maxmemory", "1mb", "--maxmemory-policy", "volatile-random"],
    });
    expect(seen(await look({ REDIS_URL: redis.url }), "redis", "eviction")).toEqual([
      expect.stringMatching(/^warning: .*\(volatile-random\)/),
    ]);
    await ask(redis.port, "CONFIG", "SET", "maxmemory-policy", "noeviction");
    expect(seen(await look({ REDIS_URL: redis.url }), "redis", "memory")).toEqual([
      expect.stringMatching(/^problem: .*stores no more tokens/),
    ]);
  });

  it("is told which rights the user lacks, and that those of the documentation are enough", async () => {
    await using redis = await startRedis();
    const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "redis.md"), "utf8");
    const rule = /^ACL SETUSER (gateway .*)$/m.exec(page)?.[1]?.split(" ") ?? [];
    await ask(redis.port, "ACL", "SETUSER", ...rule);
    const REDIS_URL = redis.url.replace("//", "//gateway:password@");
    expect(bad(await look({ REDIS_URL }), "redis")).toEqual([]);
    // All that it does is allowed: Redis itself remembers what it denied, and CONFIG is asked for knowing that.
    const log = (await ask(redis.port, "ACL", "LOG")) as string[][];
    expect(new Set(log.map((entry) => entry[entry.indexOf("object") + 1]))).toEqual(new Set(["config|get"]));
    await ask(redis.port, "ACL", "SETUSER", "gateway", "-hset", "-zadd", "-evalsha");
    expect(seen(await look({ REDIS_URL }), "redis", "rights")).toEqual([
      expect.stringMatching(/^problem: .*\+evalsha, \+hset, \+zadd\.$/),
    ]);
    await ask(redis.port, "ACL", "SETUSER", "gateway", "+hset", "+zadd", "+evalsha", "resetchannels");
    expect(seen(await look({ REDIS_URL }), "redis", "rights")).toEqual([
      expect.stringMatching(/^warning: .*the channel with REDIS_KEY_PREFIX\.$/),
    ]);
    await ask(redis.port, "ACL", "SETUSER", "gateway", "&acsgw:*", "resetkeys", "~other:*");
    expect(seen(await look({ REDIS_URL }), "redis", "rights")).toEqual([
      expect.stringMatching(/^problem: .*keys with REDIS_KEY_PREFIX/),
    ]);
    await ask(redis.port, "ACL", "SETUSER", "gateway", "-@all");
    expect(seen(await look({ REDIS_URL }), "redis", "rights")).toEqual([
      expect.stringMatching(/^problem: .*\+evalsha, \+eval/),
    ]);
    expect(await ask(redis.port, "DBSIZE")).toBe(0);
  });

  it("tries every command that the gateway's scripts call", () => {
    const folder = join(__dirname, "..", "..", "..", "src", "services");
    const called = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith("redis-probe.ts"))
      .flatMap((name) => [...readFileSync(join(folder, name), "utf8").matchAll(/redis\.p?call\('(\w+)'/g)])
      .map(([, command = ""]) => command);
    const tried = [...scriptCommands.harmless, ...scriptCommands.making];
    expect([...new Set(called)].filter((command) => !tried.includes(command as never))).toEqual([]);
    const probe = readFileSync(join(folder, "redis", "redis-probe.ts"), "utf8");
    const script = probe.slice(probe.indexOf("#!lua"), probe.indexOf("return refused`"));
    expect(tried.filter((command) => !script.includes(`'${command}'`))).toEqual([]);
  });

  it("is told to refuse the password, to be away, and to be silent, in time", async () => {
    await using redis = await startRedis();
    await ask(redis.port, "CONFIG", "SET", "requirepass", "a-password-of-redis");
    const wrong = await look({ REDIS_URL: redis.url.replace("//", "//:wrong-password@") });
    expect(seen(wrong, "redis", "reachable")).toEqual([expect.stringMatching(/^problem: .*\(WRONGPASS\)/)]);
    const none = await look({ REDIS_URL: redis.url });
    expect(seen(none, "redis", "reachable")).toEqual([expect.stringMatching(/^problem: .*\(NOAUTH\)/)]);
    const away = await look({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    expect(seen(away, "redis", "reachable")).toEqual([expect.stringMatching(/^problem: .*\(ECONNREFUSED\)/)]);
    const nowhere = await look({ REDIS_URL: "redis://redis.invalid" });
    expect(seen(nowhere, "redis", "reachable")).toEqual([expect.stringMatching(/does not resolve/)]);
    await using proxy = await startTcpProxy(redis.port);
    proxy.swallowing = true;
    const began = performance.now();
    const hangs = await look({ REDIS_URL: `redis://:a@127.0.0.1:${proxy.port}` }, 2_000);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(bad(hangs, "redis").map(({ status }) => status)).toEqual(["problem"]);
    expect(JSON.stringify([wrong, none, away, hangs])).not.toMatch(/a-password|wrong-password/);
  });

  it("is told to be a replica", async () => {
    await using primary = await startRedis();
    await using replica = await startRedis({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
    const found = await look({ REDIS_URL: replica.url });
    expect(seen(found, "redis", "scripts")).toEqual([expect.stringMatching(/^problem: .*\(READONLY\)/)]);
    expect(seen(await look({ REDIS_URL: primary.url }), "redis", "fence").join()).toMatch(/^(warning: .*|)$/);
  });

  it.each([
    ["Sentinel", startSentinel],
    ["a Cluster", startCluster],
  ])(
    "is seen through %s, every primary of it, fenced",
    async (_how, start) => {
      await using redis = await start();
      const found = await look({ REDIS_URL: redis.url });
      expect(bad(found, "redis")).toEqual([]);
      const primaries = await redis.primaries();
      expect(seen(found, "redis", "fence")).toHaveLength(primaries.length);
      for (const { port } of redis.nodes) await ask(port, "CONFIG", "SET", "min-replicas-to-write", "0");
      const unfenced = seen(await look({ REDIS_URL: redis.url }), "redis", "fence");
      expect(unfenced.map((text) => text.split(":")[0])).toEqual(primaries.map(() => "warning"));
    },
    60_000,
  );
});

describe("Azure", () => {
  const secret = Buffer.alloc(64, "another key").toString("base64");

  it("is asked whether it takes the credential, and nothing is left there", async () => {
    await using emulator = await startEmulator();
    const { connectionString } = emulator;
    const found = await look({ ACS_CONNECTION_STRING: connectionString });
    expect(bad(found, "azure")).toEqual([]);
    expect(seen(found, "azure", "credential")).toEqual([expect.stringMatching(/takes the access key/)]);
    const known = await look({
      ACS_CONNECTION_STRING: connectionString,
      ACS_RESOURCE_ID: emulator.resourceId,
    });
    expect(bad(known, "azure")).toEqual([]);
    expect(emulator.identities.list()).toEqual([]);
    const wrong = await look({
      ACS_CONNECTION_STRING: connectionString.replace(/accesskey=.*/, `accesskey=${secret}`),
    });
    expect(seen(wrong, "azure", "credential")).toEqual([
      expect.stringMatching(/^problem: .* refuses the access key \(401 Denied\)/),
    ]);
    expect(JSON.stringify(wrong)).not.toContain(secret);
    for (const [status, text] of [
      [403, /^problem: .*forbids/],
      [429, /^warning: .*limiting/],
      [503, /^warning: .*not well/],
    ] as const) {
      emulator.faults.add({ kind: "status", status });
      expect(seen(await look({ ACS_CONNECTION_STRING: connectionString }), "azure", "credential")).toEqual([
        expect.stringMatching(text),
      ]);
      emulator.faults.clear();
    }
  });

  it("is told to have another time, which explains a refusal", async () => {
    await using emulator = await startEmulator({ clockOffsetMs: 3_600_000 });
    const found = await look({ ACS_CONNECTION_STRING: emulator.connectionString });
    expect(seen(found, "azure", "credential")).toEqual([expect.stringMatching(/wrong clock explains/)]);
    expect(seen(found, "azure", "clock")).toEqual([expect.stringMatching(/^problem: .*60 min ahead/)]);
  });

  it("is told to be away, silent, unknown, or not to be trusted", async () => {
    const at = async (endpoint: string) =>
      seen(
        await look({ ACS_CONNECTION_STRING: `endpoint=${endpoint}/;accesskey=${secret}` }, 1_500),
        "azure",
        "credential",
      );
    await using hole = await silent();
    await using emulator = await startEmulator({ tls: true });
    expect(await at(`http://127.0.0.1:${await freePort()}`)).toEqual([expect.stringMatching(/ECONNREFUSED/)]);
    expect(await at(`http://127.0.0.1:${hole.port}`)).toEqual([expect.stringMatching(/TIMEOUT/)]);
    expect(await at("https://contoso.invalid")).toEqual([expect.stringMatching(/does not resolve/)]);
    expect(await at(emulator.https!.url)).toEqual([expect.stringMatching(/TLS of .* cannot be trusted/)]);
  });

  it("is asked with Entra's token, and Entra's refusal is told by its number", async () => {
    await using emulator = await startEmulator({ tls: true });
    const { url: endpoint, ca } = emulator.https!;
    const options = { endpoint, ca, resourceId: undefined };
    const signal = AbortSignal.timeout(5_000);
    const getToken = async () => ({
      token: await emulator.entra.token(),
      expiresOnTimestamp: Date.now() + 3_600_000,
    });
    const taken = await probeAcs({ ...options, credential: { getToken } }, systemClock, signal);
    expect(taken).toMatchObject({ outcome: "accepted", code: "IdentityNotOwned" });
    const refused = () => Promise.reject(new Error("AADSTS7000215: Invalid client secret 'my-secret'."));
    const none = await probeAcs({ ...options, credential: { getToken: refused } }, systemClock, signal);
    expect(none).toMatchObject({ outcome: "noToken", code: "AADSTS7000215" });
    expect(JSON.stringify(none)).not.toContain("my-secret");
  });
});

describe("the directory", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  });

  it("on PostgreSQL is looked at before and after its tables are made", async () => {
    const { url } = await postgres.makeDatabase();
    const before = await look({ DATABASE_URL: url });
    expect(bad(before, "directory")).toEqual([]);
    expect(seen(before, "directory", "tables")).toEqual([expect.stringMatching(/will make the tables/)]);
    await using gateway = new Program({ environment: { DATABASE_URL: url } });
    await announced(gateway);
    expect(seen(await look({ DATABASE_URL: url }), "directory", "tables")).toEqual([
      expect.stringMatching(/^ok: The tables are up to date/),
    ]);
  });

  it("is told to have no such database, to be away, and to be silent", async () => {
    const missing = await look({ DATABASE_URL: postgres.url.replace(/\/postgres$/, "/nothing") });
    expect(seen(missing, "directory", "reachable")).toEqual([expect.stringMatching(/\(3D000\)/)]);
    const tls = await look({ DATABASE_URL: `${postgres.url}?sslmode=require` });
    expect(seen(tls, "directory", "reachable")).toEqual([expect.stringMatching(/speaks no TLS/)]);
    const away = await look({ DATABASE_URL: `postgres://u:a-password@127.0.0.1:${await freePort()}/d` });
    expect(seen(away, "directory", "reachable")).toEqual([expect.stringMatching(/ECONNREFUSED/)]);
    await using hole = await silent();
    const hangs = await look({ DATABASE_URL: `postgres://u:a-password@127.0.0.1:${hole.port}/d` }, 1_500);
    expect(seen(hangs, "directory", "reachable")).toEqual([expect.stringMatching(/in time \(TIMEOUT\)/)]);
    expect(JSON.stringify([away, hangs])).not.toContain("a-password");
  });

  it("in a folder is told to be in use, or not to be writable", async () => {
    const place = join(folder, "embedded");
    expect(bad(await look({ DIRECTORY_PATH: place }), "directory")).toEqual([]);
    const found = await look({ DIRECTORY_PATH: join(folder, "encryption-keys", "under-a-file") });
    expect(seen(found, "directory", "folder")).toEqual([
      expect.stringMatching(/^problem: .*cannot be written to/),
    ]);
  });
});

describe("issuers", () => {
  it("are asked for their document and their keys", async () => {
    await using oidc = await startOidcServer();
    const found = await look({ OIDC_ISSUERS: `${oidc.issuer} audience=a` });
    expect(bad(found, "issuer")).toEqual([]);
    const slash = await look({ OIDC_ISSUERS: `${oidc.issuer}/ audience=a` });
    expect(seen(slash, "issuer", "discovery")).toEqual([expect.stringMatching(/another issuer/)]);
    const nowhere = await look({ OIDC_ISSUERS: `${oidc.issuer} audience=a jwks=${oidc.issuer}/nowhere` });
    expect(seen(nowhere, "issuer", "jwks")).toEqual([expect.stringMatching(/answers with status 404/)]);
    await oidc.stop();
    const away = await look({ OIDC_ISSUERS: `${oidc.issuer} audience=a` });
    expect(seen(away, "issuer", "discovery")).toEqual([expect.stringMatching(/ECONNREFUSED/)]);
  });

  it("are told to have no key of a kind that is accepted", async () => {
    await using issuer = await startIssuer();
    const entry = `${issuer.url} audience=a jwks=${issuer.jwksUrl}`;
    expect(bad(await look({ OIDC_ISSUERS: entry }), "issuer")).toEqual([]);
    const found = await look({ OIDC_ISSUERS: `${entry} algorithms=RS256` });
    expect(seen(found, "issuer", "keys")).toEqual([expect.stringMatching(/^problem: None of the 1 keys/)]);
  });
});

describe("the port", () => {
  it("is free, another program's, a gateway's, or not this machine's", async () => {
    await using hole = await silent();
    const port = (found: Diagnosis) => seen(found, "port", "free").join();
    expect(port(await look({ PORT: String(await freePort()) }))).toMatch(/^ok: The gateway can listen/);
    expect(port(await look({ PORT: String(hole.port) }))).toMatch(/^problem: Another program/);
    expect(port(await look({ HOST: "192.0.2.1", PORT: "4999" }))).toMatch(/^problem: This machine has no/);
    await using gateway = new Program({});
    const { origin } = await announced(gateway);
    expect(port(await look({ PORT: new URL(origin).port }))).toMatch(/^ok: A gateway serves/);
  });
});

describe("the command", () => {
  it("ends with 0 when nothing is a problem, and prints each finding", async () => {
    const { code, stdout, stderr } = await runProgram({ args: ["doctor"] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^configuration\n {2}ok {7}Every variable/);
    expect(stdout).toMatch(/\n\nNo problems, 1 warning, \d+ ok\.\n$/);
  });

  it("ends with 1 when something is, in JSON of one form, without a secret, and does not hang", async () => {
    await using hole = await silent();
    const secrets = ["redis-secret", "postgres-secret", "c2VjcmV0LW9mLWFjcw==", "development-secret"];
    const { code, stdout, stderr } = await runProgram({
      args: ["doctor", "--json", "--timeout", "1"],
      environment: {
        REDIS_URL: `redis://user:${secrets[0]}@127.0.0.1:${hole.port}`,
        DATABASE_URL: `postgres://user:${secrets[1]}@127.0.0.1:${hole.port}/d`,
        ACS_CONNECTION_STRING: `endpoint=http://127.0.0.1:${hole.port}/;accesskey=${secrets[2]}`,
        DEVELOPMENT_API_KEY: secrets[3]!,
        OIDC_ISSUERS: `http://127.0.0.1:${hole.port} audience=a`,
        TOKEN_ENCRYPTION_KEYS: "k1:bm90LTMyLWJ5dGVz",
      },
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    const { status, counts, findings } = JSON.parse(stdout) as Diagnosis;
    expect(status).toBe("problem");
    expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(findings.length);
    for (const finding of findings) {
      expect(Object.keys(finding)).toEqual(["part", "check", "status", "seen", "advice"]);
      expect((finding.advice as unknown) === null).toBe(finding.status === "ok");
    }
    const broken = new Set(findings.filter((each) => each.status === "problem").map(({ part }) => part));
    expect([...broken].sort()).toEqual(["azure", "configuration", "directory", "issuer", "redis"]);
    for (const secret of [...secrets, "bm90LTMyLWJ5dGVz"]) expect(stdout).not.toContain(secret);
  });

  it("looks at the limit of open files", () => {
    const script = `ulimit -n 300; exec "${process.execPath}" dist/bin/acs-token-gateway.js doctor`;
    const text = execFileSync("sh", ["-c", script], {
      cwd: join(__dirname, "..", "..", ".."),
      env: { PATH: process.env.PATH, PORT: "0" },
      encoding: "utf8",
    });
    expect(text).toMatch(/warning {2}This user may have 300 files open; .* are 10300\./);
  });
});

/** A listener that takes connections and says nothing. */
async function silent(): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<{ destroy(): unknown }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
