/** The scripts behind the npm commands: how they end, what they pass on, and what they build when. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { announced, Program, runProgram, type Announced } from "../../support/program";

const root = resolve(__dirname, "../../..");
const node = (script: string, ...args: string[]) => ({
  file: process.execPath,
  args: [join(root, "scripts", script), ...args],
});

describe("npm start", () => {
  it("ends with everything that it started on Ctrl-C", async () => {
    await using npm = new Program({ file: "npm", args: ["start"], cwd: root, group: true });
    const where = await announced(npm);
    // npm itself ends by the signal, whatever its script made of it.
    expect((await npm.end("SIGINT")).stderr).not.toMatch(/npm error|^ +at /m);
    expect(await isServed(where)).toBe(false);
  });

  it("ends with everything that it started when npm alone is told to end", async () => {
    await using npm = new Program({ file: "npm", args: ["start"], cwd: root });
    const where = await announced(npm);
    // Its output ends when the last of its processes has ended.
    await npm.end("SIGTERM");
    expect(await isServed(where)).toBe(false);
  });

  it("passes a command, its arguments and its exit code on", async () => {
    const ended = await runProgram(node("start.mjs", "quickstart", "--url", "http://127.0.0.1:1/graphql"));
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^acs-token-gateway: The quickstart needs an API key/);
  });
});

describe("npm test", () => {
  it("passes its arguments to Jest, and says last how many tests passed", async () => {
    const ended = await runProgram(
      node("test.mjs", "test/unit/tokens/token-key.test.ts", "-t", "whole minutes"),
    );
    expect(ended.code).toBe(0);
    expect(ended.stdout.trimEnd().split("\n").at(-1)).toMatch(/^[1-9]\d* passed, 0 failed(, \d+ skipped)?$/);
  });

  it("ends as Jest ends", async () => {
    const ended = await runProgram(node("test.mjs", "no-such-test-file"));
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain("No tests found");
  });

  it.each([
    ["REDIS_SERVER_PATH", "redis-server"],
    ["POSTGRES_PATH", "PostgreSQL"],
    ["CHROMIUM_PATH", "Chromium"],
  ])("says that %s is no program, and runs nothing", async (variable, title) => {
    const environment = { [variable]: "/no/such/program" };
    expect(await runProgram({ ...node("test.mjs"), environment })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `${variable} is /no/such/program, which is not an executable file. It must be that of ${title}.\n`,
    });
  });
});

describe("the build", () => {
  let copy: string;
  const build = () => runProgram({ file: process.execPath, args: [join(copy, "scripts", "build.mjs")] });
  const builtAt = async (path: string) => (await stat(join(copy, "dist", path))).mtimeMs;

  beforeAll(async () => {
    // A program of a few lines: what is seen here is when it is built, which does not depend on its size. That the real
    // one is built from nothing is seen by whoever runs the tests in a fresh clone.
    copy = await mkdtemp(join(tmpdir(), "acs-token-gateway-build-"));
    const files = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
    for (const part of ["scripts", "client", ...files])
      await cp(join(root, part), join(copy, part), { recursive: true });
    const sources = {
      "src/main.ts": "export const main = 1;\n",
      "bin/acs-token-gateway.ts": 'export { main } from "../src/main.ts";\n',
      "emulator/main.ts": "export const emulator = 1;\n",
      "operations/operations.ts": "export const operations = 1;\n",
    };
    for (const [path, text] of Object.entries(sources)) {
      await mkdir(dirname(join(copy, path)), { recursive: true });
      await writeFile(join(copy, path), text);
    }
    await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  });
  afterAll(async () => {
    await rm(copy, { recursive: true, force: true });
  });

  it("is done once by two that ask for it at the same time, for both", async () => {
    const [one, other] = await Promise.all([build(), build()]);
    expect([one.code, other.code]).toEqual([0, 0]);
    expect(`${one.stderr}${other.stderr}`.match(/^Built in/gm)).toHaveLength(1);
    expect((await stat(join(copy, "dist", "bin", "acs-token-gateway.js"))).mode & 0o111).toBe(0o111);
    expect((await readdir(join(copy, ".cache"))).filter((name) => name.includes("lock"))).toEqual([]);
  }, 60_000);

  it("is not done again when nothing has changed", async () => {
    const before = await builtAt("src/main.js");
    expect(await build()).toMatchObject({ code: 0, stderr: "" });
    expect(await builtAt("src/main.js")).toBe(before);
  });

  it("takes over from one that was killed in the middle of it", async () => {
    await writeFile(join(copy, "src", "added.ts"), "export const added = 1;\n");
    // The pid of a process that has ended.
    const { pid } = spawnSync("true");
    const lock = join(copy, ".cache", "setup.lock");
    await cp(join(copy, "operations"), lock, { recursive: true });
    await writeFile(join(lock, "pid"), String(pid));
    expect((await build()).code).toBe(0);
    expect(await builtAt("src/added.js")).toBeGreaterThan(0);
  }, 60_000);

  it("removes what was built from a source that is gone, and mends what is missing", async () => {
    await rm(join(copy, "src", "added.ts"));
    await rm(join(copy, "dist", "src", "main.js"));
    expect((await build()).code).toBe(0);
    await expect(builtAt("src/added.js")).rejects.toThrow("ENOENT");
    expect(await builtAt("src/main.js")).toBeGreaterThan(0);
  }, 60_000);

  it("tells the compiler's message, fails, and is tried again the next time", async () => {
    await writeFile(join(copy, "src", "wrong.ts"), 'export const wrong: number = "text";\n');
    for (let time = 0; time < 2; time++) {
      const { code, stderr } = await build();
      expect(code).not.toBe(0);
      expect(stderr).toContain("src/wrong.ts(1,14): error TS2322");
      expect(stderr).not.toMatch(/^ +at /m);
    }
  }, 60_000);
});

async function isServed({ url, emulator }: Announced): Promise<boolean> {
  const answers = await Promise.all([url, emulator].map((each) => accepts(Number(new URL(each).port))));
  return answers.includes(true);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
