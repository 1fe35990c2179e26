/** The emulator as a program, built: what it prints, what it refuses, how it ends. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { audits } from "../../../emulator/audits";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { Program, programFile, runProgram, type Ended } from "../../support/program";

const mainFile = join(dirname(programFile), "..", "emulator", "main.js");
const options = (args: readonly string[], environment: Record<string, string> = {}) => ({
  file: process.execPath,
  args: [mainFile, ...args],
  environment,
});
const run = (args: readonly string[], environment?: Record<string, string>) =>
  runProgram(options(args, environment));

let folder: string;
let emulator: Emulator;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acs-identity-emulator-test-"));
  emulator = await startEmulator();
});
afterAll(async () => {
  await emulator[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function announced(program: Program) {
  await program.prints(/Ctrl-C ends it\./);
  const find = (pattern: RegExp) => pattern.exec(program.stdout)?.[1] ?? "";
  return {
    url: find(/ACS Identity emulator +(\S+)/),
    connectionString: find(/(endpoint=http:\S+)/),
    secure: find(/(endpoint=https:\S+)/),
    ca: find(/NODE_EXTRA_CA_CERTS=([^)]+)\)/),
  };
}

it("prints where it is and what to connect with, serves, and ends when asked to", async () => {
  await using program = new Program(options(["--port", "0"]));
  const { url, connectionString } = await announced(program);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(connectionString).toContain(`endpoint=${url}/;accesskey=`);
  const client = new CommunicationIdentityClient(connectionString, { allowInsecureConnection: true });
  await client.createUserAndToken(["chat"]);
  expect(await program.end("SIGINT")).toMatchObject({ code: 0, signal: null, stderr: "" });
});

it("ends at once though a request hangs", async () => {
  await using program = new Program(options(["--latency", "600000"]));
  const { url } = await announced(program);
  const pending = fetch(`${url}/identities`, { method: "POST" }).catch(() => "cut");
  expect((await fetch(`${url}/_emulator/health`)).status).toBe(200);
  expect(await program.end("SIGTERM")).toMatchObject({ code: 0, stderr: "" });
  expect(await pending).toBe("cut");
});

it("serves https with an authority of its own, whose certificate it takes away at the end", async () => {
  await using program = new Program(options(["--tls"]));
  const { secure, ca } = await announced(program);
  const agent = new Agent({ ca: readFileSync(ca) });
  await new CommunicationIdentityClient(secure, { agent }).createUser();
  expect((await program.end("SIGTERM")).code).toBe(0);
  expect(existsSync(dirname(ca))).toBe(false);
});

it("keeps its state in a file from one run to the next", async () => {
  const file = join(folder, "kept.json");
  const work = async (use: (client: CommunicationIdentityClient) => Promise<unknown>) => {
    await using program = new Program(options(["--state", file]));
    const { connectionString } = await announced(program);
    await use(new CommunicationIdentityClient(connectionString, { allowInsecureConnection: true }));
    expect((await program.end("SIGTERM")).code).toBe(0);
  };
  let user = { communicationUserId: "" };
  await work(async (client) => (user = await client.createUser()));
  await work((client) => client.getToken(user, ["chat"]));
});

it("tells its options", async () => {
  for (const flag of ["--help", "-h"]) {
    const { code, stdout, stderr } = await run([flag]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Serves the ACS Identity REST API/);
    for (const name of ["port", "tls", "state", "limits", "latency", "clock-offset", "audit"]) {
      expect(stdout).toContain(`--${name}`);
    }
  }
});

it("tells them through the package's own command, too", async () => {
  const { code, stdout } = await runProgram({ args: ["emulator", "--help"] });
  expect({ code, stdout }).toEqual({ code: 0, stdout: (await run(["--help"])).stdout });
});

describe("says in one line what is wrong, and ends with 1:", () => {
  const line = (text: string): Ended => ({
    code: 1,
    signal: null,
    stdout: "",
    stderr: `acs-identity-emulator: ${text}\n`,
  });

  it.each([
    [["--port", "x"], "--port is a number from 0 to 65535. --help tells more."],
    [["--port", "70000"], "--port is a number from 0 to 65535. --help tells more."],
    [["--port", "1.5"], "--port is a whole number. --help tells more."],
    [["--tls-port", "-1"], ""],
    [["--limits", "maybe"], "--limits is on or off. --help tells more."],
    [["--retry-after", "30"], "--retry-after is on or off. --help tells more."],
    [["--latency", "slow"], '--latency is a number from 0 to 600000 or "recorded". --help tells more.'],
    [["--revocation-delay", "901"], "--revocation-delay is a number from 0 to 900. --help tells more."],
    [["--audit", "endpoint=x"], "The connection string is not endpoint=…;accesskey=…"],
    [["--host", "192.0.2.1"], "This machine has no address 192.0.2.1."],
    [["--no-such"], ""],
    [["--port"], ""],
    [["extra"], ""],
    [["--clock-offset", "-5"], ""],
  ])("%j", async (args, text) => {
    const ended = await run(args);
    if (text !== "") expect(ended).toEqual(line(text));
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^acs-identity-emulator: [^\n]+\n$/);
  });

  it("an EMULATOR_PORT that is none", async () => {
    expect(await run([], { EMULATOR_PORT: "x" })).toEqual(
      line("EMULATOR_PORT is a number from 0 to 65535. --help tells more."),
    );
  });

  it("a port in use", async () => {
    const port = String(emulator.port);
    const busy = line(`Port ${port} is in use. Choose another with --port or --tls-port.`);
    expect(await run(["--port", port])).toEqual(busy);
    expect(await run([], { EMULATOR_PORT: port })).toEqual(busy);
    expect(await run(["--tls", "--tls-port", port])).toEqual(busy);
  });

  it("a damaged state file", async () => {
    const file = join(folder, "damaged.json");
    writeFileSync(file, '{"signingKey":');
    expect(await run(["--state", file])).toEqual(
      line(`${file} is not a state file of this emulator, or it is damaged. Delete it to start anew.`),
    );
  });

  it("a state file that cannot be written", async () => {
    const file = join(folder, "missing", "state.json");
    expect(await run(["--state", file])).toEqual(
      line(`The state file cannot be written: ENOENT: no such file or directory, open '${file}.new'.`),
    );
  });
});

describe("--audit", () => {
  it("runs every check against the resource of a connection string, and ends with 0 when all MUSTs hold", async () => {
    const { code, stdout, stderr } = await run(["--audit", emulator.connectionString]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const { id, level, title } of audits) expect(stdout).toContain(`ok   ${id} ${level} ${title}\n`);
    expect(stdout).toContain(`${audits.length} checks, 0 MUST failed.`);
    expect(stdout).not.toContain("accesskey");
  });

  it("says which check failed and how, and ends with 1", async () => {
    await using faulty = await startEmulator();
    faulty.faults.add({ kind: "wrongSuccess", operation: "revokeAccessTokens" });
    const { code, stdout } = await run(["--audit", faulty.connectionString]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL ACSI-007 MUST revokes tokens with 204 and no body\n {7}.*\n/);
    expect(stdout).toMatch(/ok {3}ACSI-001/);
    expect(stdout).toContain("1 MUST failed.");
  });

  it("fails every check when nobody answers, and never prints the key", async () => {
    const nobody = await startEmulator();
    await nobody[Symbol.asyncDispose]();
    const { code, stdout, stderr } = await run(["--audit", nobody.connectionString]);
    expect(code).toBe(1);
    expect(stdout).not.toContain("ok  ");
    const key = nobody.connectionString.split("accesskey=")[1]!;
    expect(stdout + stderr).not.toContain(key);
  });
});
