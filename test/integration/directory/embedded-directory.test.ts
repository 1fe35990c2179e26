/** The directory in this process, whose folder one process has to itself, and which survives that process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { EmbeddedDatabase } from "../../../src/services/identities/directory/embedded-database";
import { DirectoryLock } from "../../../src/services/identities/directory/directory-lock";
import { IdentityDirectory } from "../../../src/services/identities/directory/identity-directory";
import { DatabaseUnusable, type Database } from "../../../src/services/identities/directory/sql";
import { endWithParent } from "../../support/end-with-parent";
import { recordEvents } from "../../support/recorded-events";
import { describeDirectory } from "./directory.suite";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-directory-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const owner = { issuer: "https://issuer.example", subject: "someone", device: "" };

describeDirectory("the embedded database", () => {
  const one = new EmbeddedDatabase(join(folder, "suite"));
  // It has one user; the three gateways of the tests share it within the process.
  const shared: Database = {
    query: (text, values) => one.query(text, values),
    transaction: (run) => one.transaction(run),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return Promise.resolve({ open: () => shared, [Symbol.asyncDispose]: () => one[Symbol.asyncDispose]() });
});

it("has what a process that was killed had entered, and takes its folder over at once", async () => {
  const path = join(folder, "killed");
  const child = spawn(
    process.execPath,
    [
      join(__dirname, "..", "..", "support", "run-typescript.mjs"),
      join(__dirname, "doomed-directory.ts"),
      path,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  endWithParent(child);
  await once(child.stdout, "data");
  await using refused = new EmbeddedDatabase(path);
  await expect(refused.query("SELECT 1")).rejects.toThrow(DatabaseUnusable);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  await using directory = new IdentityDirectory(new EmbeddedDatabase(path), recordEvents());
  expect((await directory.find(owner))?.identityId).toBe("8:acs:00000000-0000-4000-8000-000000000000_kept");
});

it("keeps a second process out, whatever host or container it is on, until the first is silent for ten seconds", async () => {
  const file = join(folder, "lock");
  const elsewhere = { id: "x", host: "another-container", pid: process.pid };
  await writeFile(file, JSON.stringify(elsewhere));
  await expect(DirectoryLock.acquire(file)).rejects.toThrow("Several gateways share one by DATABASE_URL");
  expect(await readFile(file, "utf8")).toContain("another-container");
  const { utimes } = await import("node:fs/promises");
  const longAgo = new Date(Date.now() - 11_000);
  await utimes(file, longAgo, longAgo);
  await using lock = await DirectoryLock.acquire(file);
  expect(lock).toBeDefined();
  await expect(DirectoryLock.acquire(file)).rejects.toThrow(DatabaseUnusable);
});

it("is taken over at once from a predecessor with the same process number, as a container has that is started again", async () => {
  const file = join(folder, "again");
  const { hostname } = await import("node:os");
  await writeFile(file, JSON.stringify({ id: "before", host: hostname(), pid: process.pid }));
  await using lock = await DirectoryLock.acquire(file);
  expect(lock).toBeDefined();
});
