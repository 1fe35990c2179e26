/** The directory in this process, whose folder one process has to itself, and which survives that process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { EmbeddedDatabase } from "../../../src/services/identities/directory/embedded-database";
import { isLocked, lockFolder } from "../../../src/services/identities/directory/folder-lock";
import { IdentityDirectory } from "../../../src/services/identities/directory/identity-directory";
import { DatabaseUnusable, type Database } from "../../../src/services/identities/directory/sql";
import { endWithParent } from "../../support/end-with-parent";
import { recordEvents } from "../../support/recorded-events";
import { makeDirectoryFolder } from "../../support/directory-folder";
import { describeDirectory } from "../../integration/directory/directory.suite";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-directory-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const owner = { issuer: "https://issuer.example", subject: "someone", device: "" };

describeDirectory("the embedded database", async () => {
  const made = await makeDirectoryFolder();
  const one = new EmbeddedDatabase(made.path);
  // It has one user; the three gateways of the tests share it within the process.
  const shared: Database = {
    query: (text, values) => one.query(text, values),
    transaction: (run) => one.transaction(run),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return {
    open: () => shared,
    [Symbol.asyncDispose]: async () => {
      await one[Symbol.asyncDispose]();
      await made[Symbol.asyncDispose]();
    },
  };
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
}, 120_000);

it("is not two databases of one process, and is free again when it is closed", async () => {
  await using made = await makeDirectoryFolder();
  const { path } = made;
  const first = new EmbeddedDatabase(path);
  await first.query("SELECT 1");
  await using second = new EmbeddedDatabase(path);
  await expect(second.query("SELECT 1")).rejects.toThrow("Several gateways share one by DATABASE_URL");
  expect(await isLocked(path)).toBe(true);
  await first[Symbol.asyncDispose]();
  expect(await isLocked(path)).toBe(false);
  expect(await second.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
}, 120_000);

it.each([
  ["with the same process number, as a container has that is started again", hostname(), process.pid],
  ["on another machine", "another-machine", process.pid],
])("takes the lock over from a predecessor %s", async (_where, host, pid) => {
  const path = await mkdtemp(join(folder, "predecessor-"));
  await writeFile(join(path, "lock"), JSON.stringify({ host, pid, startedAt: 1 }));
  await using lock = await lockFolder(path);
  expect(lock).toBeDefined();
  await expect(lockFolder(path)).rejects.toThrow(DatabaseUnusable);
});

it("leaves a lock alone that is being written", async () => {
  const path = await mkdtemp(join(folder, "half-"));
  await writeFile(join(path, "lock"), '{"host":');
  await expect(lockFolder(path)).rejects.toThrow(`If no gateway runs, delete ${join(path, "lock")}`);
});
