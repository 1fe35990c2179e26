/** A real PostgreSQL of a test's own: free loopback port, data in a folder of its own, ended by pid. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { endWithParent } from "./end-with-parent";
import { freePort } from "./free-port";

export interface PostgresServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Makes one more, empty database. */
  makeDatabase(): Promise<{ readonly url: string }>;
}

/** Starts PostgreSQL and waits until it answers. */
export async function startPostgres(): Promise<PostgresServer> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), "acs-token-gateway-postgres-"));
  const programs = programFolder();
  const user = unprivileged();
  if (user) await chown(directory, user.uid, user.gid);
  const initdb = [
    "-D",
    join(directory, "data"),
    "-U",
    "gateway",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--no-locale",
    "-N",
  ];
  await promisify(execFile)(join(programs, "initdb"), initdb, { ...user, cwd: directory });
  const settings = ["fsync=off", "listen_addresses=127.0.0.1", `unix_socket_directories=${directory}`];
  const child = spawn(
    join(programs, "postgres"),
    ["-D", join(directory, "data"), "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
    { ...user, cwd: directory, stdio: "ignore" },
  );
  endWithParent(child);
  const urlOf = (database: string) => `postgres://gateway@127.0.0.1:${port}/${database}`;
  await untilItAnswers(urlOf("postgres"), child);
  let databases = 0;
  return {
    port,
    url: urlOf("postgres"),
    makeDatabase: async () => {
      const name = `test${++databases}`;
      await ask(urlOf("postgres"), `CREATE DATABASE ${name}`);
      return { url: urlOf(name) };
    },
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGQUIT");
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
}

/** Where `initdb` and `postgres` are: Debian keeps them off the PATH. */
function programFolder(): string {
  const given = process.env.POSTGRES_PATH;
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const found = [
    ...(given ? [given] : []),
    ...versions.map((version) => join(debian, version, "bin", "postgres")),
    ...(process.env.PATH ?? "").split(":").map((folder) => join(folder, "postgres")),
  ].find(existsSync);
  if (found === undefined)
    throw new Error("The test needs PostgreSQL: set POSTGRES_PATH to its program postgres.");
  return dirname(realpathSync(found));
}

async function ask(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 15_000; ;) {
    try {
      await ask(url, "SELECT 1");
      return;
    } catch (error) {
      if (child.exitCode !== null)
        throw new Error(`PostgreSQL ended with code ${child.exitCode}.`, { cause: error });
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
