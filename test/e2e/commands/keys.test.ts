/** `keys`: files are changed whole or not at all, secrets are shown once, and a running gateway refuses nobody meanwhile. */
import { createHash } from "node:crypto";
import {
  chmod,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
  lstat,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { turn } from "../../../bin/keys/encryption-ring";
import type { Step } from "../../../bin/keys/step";
import { changeKeyFile } from "../../../bin/keys/key-file";
import { apiKeyFile } from "../../../bin/keys/api-key-entries";
import { CreateIdentityDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { hashApiKey, parseApiKeys } from "../../../src/services/access/api-key";
import { parseEncryptionKeys } from "../../../src/services/tokens/encryption-keys";
import { GraphqlClient } from "../../support/graphql-client";
import { startRedis } from "../../support/redis-server";
import { until } from "../../support/until";
import { announced, Program, runProgram } from "../../support/program";

// Each command is a process of its own.
jest.setTimeout(120_000);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-keys-"));
});
afterEach(() => rm(folder, { recursive: true }));

const keys = async (...args: string[]) => runProgram({ args: ["keys", ...args] });
const well = async (...args: string[]) => {
  const { code, stdout, stderr } = await keys(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
};
const shownKey = (stdout: string) => /^ {2}([\w-]{43})$/m.exec(stdout)?.[1] ?? "";
const hour = 3_600_000;

describe("an API key", () => {
  it("is shown once, and its entry lets nobody but its holder in", async () => {
    const stdout = await well(
      "new-api-key",
      "backend",
      "--rights",
      "token:issue:any",
      "--expires",
      "2030-01-01",
    );
    const key = shownKey(stdout);
    const entry = /^ {2}(backend:.*)$/m.exec(stdout)?.[1] ?? "";
    const [parsed] = parseApiKeys(entry).value ?? [];
    expect(parsed).toMatchObject({ name: "backend", rights: ["token:issue:any"], hash: hashApiKey(key) });
    expect(entry).not.toContain(key);
  });

  it("is added to a file that keeps its comments, mode and place, and is made when it is not there", async () => {
    const file = join(folder, "api-keys");
    await well("new-api-key", "one", "--rights", "all", "--file", file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await writeFile(file, `# ours\n${await readFile(file, "utf8")}# the end`);
    await chmod(file, 0o640);
    const link = join(folder, "link");
    await symlink(file, link);
    await well("new-api-key", "two", "--rights", "schema:read", "--file", link);
    const text = await readFile(file, "utf8");
    expect(text).toMatch(/^# ours\none:\w{64} rights=all\n# the end\ntwo:\w{64} rights=schema:read\n$/);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(["api-keys", "link"]);
  });

  it("is rotated: the new one has the rights of the old, which ends; others stay", async () => {
    const file = join(folder, "api-keys");
    const [a, b, c] = ["a", "b", "c"].map((letter) => letter.repeat(64));
    await writeFile(
      file,
      `me:${a} rights=schema:read expires=2020-01-01 # long over\nme:${b} rights=token:issue:any scopes=chat requests-per-minute=9 # mine\nother:${c} rights=all\n`,
    );
    const before = Date.now();
    const stdout = await well("rotate-api-key", "me", "--file", file, "--overlap", "2h");
    const text = await readFile(file, "utf8");
    expect(text).toMatch(
      /^# long over\nme:b{64} rights=token:issue:any scopes=chat requests-per-minute=9 expires=\S+Z # mine\nother:c{64} rights=all\nme:\w{64} rights=token:issue:any scopes=chat requests-per-minute=9\n$/,
    );
    const [old, , made] = parseApiKeys(text).value ?? [];
    expect(made?.hash).toEqual(hashApiKey(shownKey(stdout)));
    expect(old?.expiresAt).toBeGreaterThanOrEqual(before + 2 * hour);
    expect(old?.expiresAt).toBeLessThanOrEqual(Date.now() + 2 * hour + 60_000);
    expect(await keys("rotate-api-key", "nobody", "--file", file)).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("a file", () => {
  it("stays as it is when the change is refused, or would make what the gateway refuses", async () => {
    const file = join(folder, "api-keys");
    await writeFile(file, `me:${"a".repeat(64)} rights=all\n`);
    for (const args of [
      ["new-api-key", "x", "--rights", "everything", "--file", file],
      ["new-api-key", "x", "--rights", "all", "--expires", "tomorrow", "--file", file],
      ["rotate-encryption", "--file", file],
      ["rotate-api-key", "me", "--file", file, "--overlap", "long"],
    ]) {
      const { code, stdout, stderr } = await keys(...args);
      expect([args, code, stdout]).toEqual([args, 1, ""]);
      expect(stderr).toMatch(/^acs-token-gateway: .+\n$/);
    }
    await expect(changeKeyFile(file, apiKeyFile, () => "nonsense")).rejects.toThrow(/no file of API keys/);
    expect(await readFile(file, "utf8")).toBe(`me:${"a".repeat(64)} rights=all\n`);
    expect(await readdir(folder)).toEqual(["api-keys"]);
  });

  it("is changed by one at a time, also after one has died over it", async () => {
    const file = join(folder, "api-keys");
    const lock = `${file}.lock`;
    await writeFile(lock, `${hostname()} ${process.pid}`);
    const add = () => keys("new-api-key", "me", "--rights", "all", "--file", file);
    expect((await add()).stderr).toMatch(/Another command is changing/);
    // Its process is no more.
    const { pid, ...gone } = await dead();
    await writeFile(lock, `${hostname()} ${pid}`);
    expect(gone).toEqual({ code: 0 });
    expect((await add()).code).toBe(0);
    const many = await Promise.all(Array.from({ length: 4 }, add));
    const done = many.filter(({ code }) => code === 0).length;
    const { value } = parseApiKeys(await readFile(file, "utf8"));
    expect(value).toHaveLength(1 + done);
    expect(await readdir(folder)).toEqual(["api-keys"]);
  });

  it("is listed by names, rights, ends and fingerprints", async () => {
    const api = join(folder, "api-keys");
    const ring = join(folder, "ring");
    const secret = Buffer.alloc(32, 7);
    await writeFile(api, `me:${"ab".repeat(32)} rights=all expires=2020-01-01\n`);
    await writeFile(ring, `k1:${secret.toString("base64")} # a comment\n`);
    const stdout = await well("list", "--file", api);
    expect(stdout).toMatch(
      /me +abababab +identity:create\S* +\S+ +2020-01-01T00:00:00.000Z \(over\) +as all/,
    );
    expect(stdout).not.toContain("ab".repeat(32));
    const listed = await runProgram({
      args: ["keys", "list", "--json"],
      environment: { API_KEYS_FILE: api, TOKEN_ENCRYPTION_KEYS_FILE: ring },
    });
    const fingerprint = createHash("sha256").update(secret).digest("hex").slice(0, 8);
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { kind: "API keys", keys: [{ name: "me", fingerprint: "abababab" }] },
      { kind: "encryption keys", keys: [{ id: "k1", fingerprint, use: "seals and opens" }] },
    ]);
    expect(listed.stdout).not.toContain(secret.toString("base64"));
  });
});

describe("the encryption keys' rotation", () => {
  const old = `old:${Buffer.alloc(32, 1).toString("base64")}`;
  const at = Date.UTC(2026, 0, 1);
  const take = (text: string, step: Step | undefined, now: number, force = false) =>
    turn({ text, changedAt: at }, step, { settleMs: 120_000, force, now });
  const ids = (text: string) => parseEncryptionKeys(text).value?.map(({ id }) => id);

  it("adds, promotes and retires, each when it is due and not before", () => {
    const added = take(`# the ring\n${old}`, undefined, at);
    const [, fresh = ""] = ids(added.text) ?? [];
    expect(ids(added.text)).toEqual(["old", fresh]);
    expect(take(added.text, undefined, at + 119_000)).toMatchObject({ early: true, text: added.text });
    expect(() => take(added.text, "promote", at + 119_000)).toThrow(/Too early/);
    const promoted = take(added.text, undefined, at + 120_000);
    expect(ids(promoted.text)).toEqual([fresh, "old"]);
    // What the old key sealed until the last gateway had read the file lives for another day.
    const safe = at + 240_000 + 24 * hour;
    expect(take(promoted.text, undefined, safe - 1_000)).toMatchObject({ early: true, text: promoted.text });
    expect(() => take(promoted.text, "retire", safe - 1_000)).toThrow(/Too early/);
    expect(ids(take(promoted.text, "retire", at + 130_000, true).text)).toEqual([fresh]);
    const retired = take(promoted.text, undefined, safe);
    expect(ids(retired.text)).toEqual([fresh]);
    expect(retired.text).toMatch(/^# the ring\n/);
    expect(ids(take(retired.text, undefined, safe).text)).toHaveLength(2);
  });

  it("goes by the file's time where no note says more, and takes no step that makes no sense", () => {
    const two = `${old},second:${Buffer.alloc(32, 2).toString("base64")}`;
    expect(() => take(two, undefined, at + hour)).toThrow(/give the --step/);
    expect(ids(take(two, "promote", at + hour).text)).toEqual(["second", "old"]);
    expect(() => take(two, "retire", at + hour)).toThrow(/Too early/);
    expect(ids(take(two, "retire", at + 25 * hour).text)).toEqual(["old"]);
    expect(() => take(old, "promote", at + hour)).toThrow(/add first/);
    expect(() => take(old, "retire", at + hour)).toThrow(/add first/);
    const added = take(old, "add", at).text;
    expect(() => take(added, "add", at + hour)).toThrow(/added already/);
    expect(() => take(added, "retire", at + 100 * hour)).toThrow(/not sealed yet/);
    expect(() => take(take(added, "promote", at + hour).text, "promote", at + hour)).toThrow(/add first/);
  });

  it("refuses nobody under running gateways, and what was sealed before still opens; a new API key is taken", async () => {
    const ring = join(folder, "ring");
    const api = join(folder, "api-keys");
    await well("new-encryption-key", "--file", ring);
    expect((await stat(ring)).mode & 0o777).toBe(0o600);
    const first = shownKey(await well("new-api-key", "backend", "--rights", "all", "--file", api));
    await using redis = await startRedis();
    await using emulator = new Program({ args: ["emulator"], environment: { EMULATOR_PORT: "0" } });
    await emulator.prints(/Ctrl-C/);
    const connectionString = /^ +(endpoint=\S+)/m.exec(emulator.stdout)?.[1] ?? "";
    const environment = {
      ACS_CONNECTION_STRING: connectionString,
      REDIS_URL: redis.url,
      TOKEN_ENCRYPTION_KEYS_FILE: ring,
      API_KEYS_FILE: api,
      // A machine that is busy must not look like a Redis that is away.
      REDIS_TIMEOUT_MS: "1000",
      EXPLORER: "false",
    };
    await using one = new Program({ environment });
    await using other = new Program({ environment });
    const gateways = [one, other];
    const urls = (await Promise.all(gateways.map(announced))).map(({ url }) => url);
    const clients = urls.map((url) => new GraphqlClient(url, { "x-api-key": first }));
    const make = async () => (await clients[0]!.data(CreateIdentityDocument)).createIdentity.identity.id;
    const issue = async (client: GraphqlClient, identityId: string) =>
      (await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken;
    const before = await make();
    const { token } = await issue(clients[0]!, before);

    // Somebody asks all the while; every answer must be a token.
    const asked = { done: false, count: 0 };
    const crowd = Promise.all(
      clients.map(async (client) => {
        while (!asked.done) {
          expect((await issue(client, before)).token).toMatch(/^eyJ/);
          asked.count += 1;
        }
      }),
    );
    const changes = (program: Program) =>
      program.stderr
        .split("\n")
        .filter((line) => line.includes("the key file was read anew: its first key seals")).length;
    const rotate = async (...args: string[]) => {
      const seen = gateways.map(changes);
      await well("rotate-encryption", "--file", ring, "--settle", "0s", ...args);
      for (const gateway of gateways) gateway.signal("SIGHUP");
      await until(() => gateways.every((gateway, index) => changes(gateway) > seen[index]!));
    };
    await rotate("--step", "add");
    await rotate("--step", "promote");
    const after = await make();
    const sealed = await issue(clients[0]!, after);
    expect((await issue(clients[1]!, after)).token).toBe(sealed.token);
    expect(await issue(clients[1]!, before)).toMatchObject({ token, source: "CACHE" });

    const second = shownKey(await well("rotate-api-key", "backend", "--file", api));
    for (const gateway of gateways) gateway.signal("SIGHUP");
    const renewed = urls.map((url) => new GraphqlClient(url, { "x-api-key": second }));
    await until(async () => {
      await Promise.all(renewed.map((client) => issue(client, before)));
      return true;
    });
    asked.done = true;
    await crowd;
    expect(asked.count).toBeGreaterThan(10);

    // Everything is sealed by the new key or dropped once the old one is gone: a leaked key opens nothing.
    await rotate("--step", "retire", "--force");
    expect(await issue(clients[1]!, after)).toMatchObject({ token: sealed.token, source: "CACHE" });
    expect((await issue(clients[1]!, before)).source).toBe("ISSUED");
  });

  it("tells a timer that nothing is due, with 0", async () => {
    const file = join(folder, "ring");
    await writeFile(file, `${old}\n`);
    await utimes(file, new Date(at), new Date(at));
    expect(await well("rotate-encryption", "--file", file)).toMatch(/^Added key /);
    expect(await well("rotate-encryption", "--file", file)).toMatch(/^Too early: /);
    expect(await keys("rotate-encryption", "--file", file, "--step", "promote")).toMatchObject({ code: 1 });
  });
});

/** A process that has ended, and its number. */
async function dead(): Promise<{ readonly pid: number; readonly code: number | null }> {
  const { spawn } = await import("node:child_process");
  const child = spawn(process.execPath, ["-e", ""]);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { pid: child.pid!, code };
}
