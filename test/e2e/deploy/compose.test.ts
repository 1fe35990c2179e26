/** The Compose file: it is sound, what it says of the gateway is so, and its parts work together as processes. */
import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { loadConfig } from "../../../src/config";
import { announced, Program } from "../../support/program";
import { GraphqlClient } from "../../support/graphql-client";
import { startPostgres } from "../../support/postgres-server";
import { freePort } from "../../support/free-port";
import { ask } from "../../support/redis-sentinel";
import { until } from "../../support/until";
import { unknownVariables } from "./support/gateway-settings";
import { root, toolFile } from "./support/tools";

const deploy = join(root, "deploy");
const file = join(deploy, "compose.yaml");
const text = readFileSync(file, "utf8");

interface Service {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly env_file?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly deploy?: { readonly replicas: number };
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly networks?: { readonly default: { readonly aliases: readonly string[] } };
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}
const compose = parse(text, { merge: true }) as Compose;
const service = (name: string): Service => {
  const found = compose.services[name];
  if (!found) throw new Error(`There is no service ${name}.`);
  return found;
};

/** The linter's errors, the Compose Specification's own schema included; how the file is ordered is its writer's affair. */
async function lint(path: string): Promise<string> {
  const program = join(dirname(toolFile("dclint/package.json")), "bin", "dclint.cjs");
  try {
    await promisify(execFile)(process.execPath, [program, "--quiet", "--color=false", path]);
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

let folder: string;
let secrets: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acs-token-gateway-compose-"));
  secrets = join(folder, "secrets");
  await promisify(execFile)(process.execPath, [join(deploy, "compose-secrets.mjs"), secrets], {
    env: { ACS_CONNECTION_STRING: "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0" },
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const read = (name: string) => readFileSync(join(secrets, name), "utf8").trim();

/** The environment that a service's gateway has, as Compose would put it together, with its secrets in this folder. */
function environmentOf({ env_file = [], environment = {} }: Service): Record<string, string> {
  const lines = env_file.flatMap((path) => readFileSync(join(folder, path), "utf8").split("\n"));
  const given = lines.flatMap((line) => {
    const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value ?? ""]];
  });
  const own = Object.entries(environment).map(([name, value]) => [
    name,
    value.replace("/run/secrets", secrets),
  ]);
  return Object.fromEntries([...given, ...own]) as Record<string, string>;
}

describe("the file", () => {
  it("pleases the linter and its schema", async () => {
    expect(await lint(file)).toBe("");
  });

  it.each([
    ["a key that there is not", "read_only: true", "readonly: true"],
    ["a condition that there is not", "service_healthy", "service_is_healthy"],
    ["a list for a mapping", "secrets:\n  api-keys", "secrets:\n  - api-keys"],
  ])("would not please them with %s", async (_what, right, wrong) => {
    expect(text).toContain(right);
    const broken = join(folder, "compose.yaml");
    writeFileSync(broken, text.replace(right, wrong));
    expect(await lint(broken)).toMatch(/error/);
  });

  it("names secrets, files and services that there are", () => {
    const made = Object.values(compose.secrets).map(({ file: path }) => path);
    for (const path of made) expect(statSync(join(folder, path)).isFile()).toBe(true);
    for (const [name, each] of Object.entries(compose.services)) {
      for (const secret of each.secrets ?? [])
        expect([name, Object.keys(compose.secrets)]).toEqual([name, expect.arrayContaining([secret])]);
      for (const path of each.env_file ?? []) expect(statSync(join(folder, path)).isFile()).toBe(true);
      for (const other of Object.keys(each.depends_on ?? {}))
        expect(service(other).healthcheck).toBeDefined();
      for (const volume of each.volumes ?? []) {
        const [from = ""] = volume.split(":");
        if (from.startsWith("./"))
          expect([volume, statSync(join(deploy, from)).size > 0]).toEqual([volume, true]);
      }
    }
  });

  it("pins every image, and lets no container do more than it needs", () => {
    for (const [name, each] of Object.entries(compose.services)) {
      expect([name, each.image]).toEqual([name, expect.stringMatching(/:v?\d+(\.\d+)*(-alpine)?$/)]);
      expect([name, each.read_only, each.cap_drop, each.security_opt]).toEqual([
        name,
        true,
        ["ALL"],
        ["no-new-privileges:true"],
      ]);
    }
  });
});

describe("the gateways", () => {
  it("of production have a configuration that production accepts", () => {
    const gateway = service("gateway");
    const environment = environmentOf(gateway);
    expect(unknownVariables(Object.keys(environment))).toEqual([]);
    const config = loadConfig(environment);
    expect(config.production).toBe(true);
    expect(config.acs.budget.replicas).toBe(gateway.deploy?.replicas);
    expect(Number.parseInt(gateway.stop_grace_period ?? "")).toBeGreaterThan(
      config.http.drainTimeoutMs / 1000,
    );
  });

  it("are found by the proxy and Prometheus under the name and ports that they have", () => {
    const ports = { api: 4000, metrics: Number(service("gateway").environment?.METRICS_PORT) };
    expect(loadConfig(environmentOf(service("gateway"))).http.port).toBe(ports.api);
    expect(service("gateway-with-emulator").networks?.default.aliases).toEqual(["gateway"]);
    expect(readFileSync(join(deploy, "haproxy", "haproxy.cfg"), "utf8")).toContain(
      `gateway:${ports.api} check`,
    );
    for (const [name, port] of [
      ["prometheus.yml", ports.metrics],
      ["with-api-key.yml", ports.api],
    ] as const) {
      const prometheus = parse(readFileSync(join(deploy, "prometheus", name), "utf8")) as {
        readonly rule_files: readonly string[];
        readonly scrape_configs: readonly { readonly dns_sd_configs: readonly object[] }[];
      };
      expect(prometheus.scrape_configs[0]?.dns_sd_configs[0]).toMatchObject({
        names: ["gateway"],
        type: "A",
        port,
      });
      expect(prometheus.rule_files).toEqual(["alerts.yaml"]);
    }
  });
});

it("gives secrets that nobody else on the machine reads, and replaces none", () => {
  expect(statSync(secrets).mode & 0o777).toBe(0o700);
  const again = spawnSync(process.execPath, [join(deploy, "compose-secrets.mjs"), secrets], {
    encoding: "utf8",
  });
  expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("is there already")]);
});

it("starts Redis with the users that docs/redis.md has, and a gateway with an emulator that works with it and PostgreSQL", async () => {
  const port = await freePort();
  const data = mkdtempSync(join(folder, "redis-"));
  const config = join(data, "redis.conf");
  const own = readFileSync(join(deploy, "redis", "redis.conf"), "utf8");
  writeFileSync(config, own.replace("dir /run/redis", `dir ${data}`));
  copyFileSync(join(deploy, "redis", "start.sh"), join(data, "start.sh"));
  await using redis = new Program({
    file: "/bin/sh",
    args: [join(data, "start.sh"), "--port", String(port), "--bind", "127.0.0.1"],
    environment: {
      ACL_FILE: join(data, "users.acl"),
      PASSWORD_FILE: join(secrets, "redis-password"),
      REDIS_SERVER: process.env.REDIS_SERVER_PATH ?? "redis-server",
      REDIS_CONFIG: config,
    },
  });
  await redis.prints(/Ready to accept connections/);
  await expect(ask(port, "PING")).rejects.toThrow("NOAUTH");

  await using postgres = await startPostgres();
  const database = await postgres.makeDatabase();
  const environment = environmentOf(service("gateway-with-emulator"));
  expect(unknownVariables(Object.keys(environment))).toEqual([]);
  await using gateway = new Program({
    args: ["start"],
    environment: {
      ...environment,
      HOST: "127.0.0.1",
      METRICS_PORT: String(await freePort()),
      REDIS_URL: environment.REDIS_URL?.replace("redis:6379", `127.0.0.1:${port}`) ?? "",
      DATABASE_URL: database.url,
    },
  });
  const { origin, url } = await announced(gateway);
  const ready = await fetch(`${origin}/health/ready`);
  expect(await ready.json()).toMatchObject({ status: "ready", parts: { redis: { state: "ok" } } });
  const client = new GraphqlClient(url, { "x-api-key": read("api-key") });
  const identityId = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const issue = async () =>
    (await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken.source;
  expect([await issue(), await issue()]).toEqual(["ISSUED", "CACHE"]);

  const wanted = /^ACL SETUSER gateway on >password (.*)$/m.exec(
    readFileSync(join(root, "docs", "redis.md"), "utf8"),
  )?.[1];
  const users = readFileSync(join(data, "users.acl"), "utf8");
  expect(/^user gateway on #[0-9a-f]{64} (.*)$/m.exec(users)?.[1]).toBe(wanted);
  expect(users).not.toContain(read("redis-password"));
  expect(users).toMatch(/^user default off$/m);
  expect(gateway.stderr).not.toMatch(/NOPERM|"level":"error"/);
  await until(() => redis.stdout.length > 0);
}, 60_000);

const haproxy = spawnSync("haproxy", ["-v"]).status === 0 ? it : it.skip;
haproxy("has a proxy configuration that HAProxy takes (skipped where there is none)", () => {
  const checked = (path: string) => spawnSync("haproxy", ["-c", "-f", path], { encoding: "utf8" });
  const path = join(deploy, "haproxy", "haproxy.cfg");
  expect(checked(path)).toMatchObject({ status: 0 });
  const broken = join(folder, "haproxy.cfg");
  writeFileSync(broken, readFileSync(path, "utf8").replace("balance leastconn", "balance leastcon"));
  expect(checked(broken).status).toBe(1);
});
