/** A full disk, a closed pipe or a collector that does not read ends no gateway, and no token leaves without its audit line. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Readiness } from "../../../src/services/telemetry/health";
import { GraphqlClient } from "../../support/graphql-client";
import { NamedPipe } from "../../support/named-pipe";
import { announced, Program, programFile, type Announced } from "../../support/program";
import { freePort } from "../../support/free-port";
import { until } from "../../support/until";
import { developmentKey, startWorld } from "../../support/world";

const folder = mkdtempSync(join(tmpdir(), "unwritable-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Created {
  readonly createIdentity: { readonly identity: { readonly id: string } };
}
const create = "mutation { createIdentity { identity { id } } }";
const issue = (id: string) =>
  `mutation { issueToken(input: { identityId: "${id}", scopes: [CHAT] }) { accessToken { token } } }`;
const idFrom = async (client: GraphqlClient) =>
  (await client.data<Created, object>(create)).createIdentity.identity.id;
const unavailable = {
  status: 503,
  errors: [{ extensions: { code: "AUDIT_UNAVAILABLE", retryAfterSeconds: 5 } }],
};
const issued = { status: 200, data: { issueToken: { accessToken: { token: expect.any(String) } } } };

async function health(origin: string): Promise<Record<string, string>> {
  const response = await fetch(`${origin}/health/ready`);
  const { status, parts } = (await response.json()) as Readiness;
  const states = Object.entries(parts).map(([name, { state }]) => [name, state] as const);
  return { code: String(response.status), status, ...Object.fromEntries(states) };
}

type Line = Readonly<Record<string, unknown>>;
const linesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);

describe("the audit, on a pipe", () => {
  it.each([
    {
      what: "that nobody reads",
      code: "EAGAIN",
      stop: (pipe: NamedPipe) => {
        pipe.fill();
      },
      resume: (pipe: NamedPipe) => pipe.read(),
    },
    {
      what: "whose reader has gone",
      code: "EPIPE",
      stop: (pipe: NamedPipe) => {
        pipe.close();
      },
      resume: (pipe: NamedPipe) => {
        pipe.open();
        return "";
      },
    },
  ])("$what keeps tokens back until it is written", async ({ code, stop, resume }) => {
    using pipe = new NamedPipe();
    await using world = await startWorld({ environment: { AUDIT_LOG: pipe.file } });
    const { client, emulator, events } = world;
    const { origin } = world.gateways[0]!;
    const id = await idFrom(client);
    expect(await client.send(issue(id))).toMatchObject(issued);
    expect(linesOf(pipe.read())).toMatchObject([{ action: "identity.create" }, { action: "token.issue" }]);
    expect(await health(origin)).toMatchObject({ status: "ready", audit: "ok" });

    stop(pipe);
    // Nobody knew before this one, whose line waits.
    const withheld = await client.send(issue(id), {}, { headers: { "x-request-id": "withheld" } });
    expect(withheld).toMatchObject(unavailable);
    expect(withheld.data).toBeUndefined();
    const before = emulator.counts.snapshot().operations;
    for (const document of [
      create,
      issue(id),
      "mutation { revokeTokens(input: { identityId: ID }) { effectiveBy } }",
    ])
      expect(await client.send(document.replace("ID", JSON.stringify(id)))).toMatchObject(unavailable);
    expect(emulator.counts.snapshot().operations).toEqual(before);
    expect(await client.send("{ viewer { name } }")).toMatchObject({ status: 200 });
    expect(await health(origin)).toMatchObject({ code: "200", status: "degraded", audit: "unwritable" });
    const told = events.lines.filter((line) => line.includes("the audit cannot be written"));
    expect(told.map((line) => JSON.parse(line) as Line)).toMatchObject([{ level: "error", reason: code }]);

    const junk = resume(pipe);
    expect(linesOf(junk)).toEqual([]);
    expect(await client.send(issue(id))).toMatchObject(issued);
    expect(linesOf(pipe.read())).toMatchObject([
      { action: "token.issue", outcome: "ok", requestId: "withheld" },
      { action: "token.issue", outcome: "ok" },
    ]);
    expect(await health(origin)).toMatchObject({ status: "ready", audit: "ok" });
  });
});

it("writes no line for each wrong key of an address beyond its limit", async () => {
  const file = join(folder, "limited.log");
  await using world = await startWorld({
    environment: { AUDIT_LOG: file, ADDRESS_REQUESTS_PER_MINUTE: "5" },
  });
  const guess = new GraphqlClient(world.client.url, { "x-api-key": "a wrong key" });
  const codes: unknown[] = [];
  for (let sent = 0; sent < 30; sent++) {
    codes.push((await guess.send("{ viewer { name } }")).errors?.[0]?.extensions.code);
  }
  expect(codes).toEqual([
    ...Array<string>(5).fill("UNAUTHENTICATED"),
    ...Array<string>(25).fill("RATE_LIMITED"),
  ]);
  expect(linesOf(readFileSync(file, "utf8"))).toHaveLength(5);
});

/** The built program, with its output redirected as a shell does. */
function start(redirection: string, environment: Readonly<Record<string, string>> = {}): Program {
  return new Program({
    file: "/bin/sh",
    args: ["-c", `exec "$0" "$@" ${redirection}`, process.execPath, programFile, "start"],
    environment: {
      DEVELOPMENT_API_KEY: developmentKey,
      LOG_REQUESTS: "all",
      EXPLORER: "false",
      ...environment,
    },
  });
}

describe("the program", () => {
  const auditFile = join(folder, "audit.log");
  let pipe: NamedPipe;
  let program: Program;
  let at: Announced;
  let client: GraphqlClient;
  let id: string;

  beforeAll(async () => {
    pipe = new NamedPipe();
    program = start(`2>"${pipe.file}"`, { AUDIT_LOG: auditFile });
    at = await announced(program);
    client = new GraphqlClient(at.url, { "x-api-key": developmentKey });
    id = await idFrom(client);
  }, 60_000);
  afterAll(async () => {
    await program[Symbol.asyncDispose]();
    pipe[Symbol.dispose]();
  });

  it("serves while nobody reads its log, and writes what waited to who reads again", async () => {
    pipe.read();
    pipe.fill();
    for (let sent = 0; sent < 100; sent++) expect(await client.send(issue(id))).toMatchObject(issued);
    expect(await health(at.origin)).toMatchObject({ code: "200", status: "degraded", log: "unwritable" });
    let read = pipe.read();
    await until(async () => (await health(at.origin)).log === "ok");
    await client.send(issue(id), {}, { headers: { "x-request-id": "the-last" } });
    await until(() => {
      read += pipe.read();
      return read.includes("the-last");
    });
    const requests = linesOf(read).filter(({ msg }) => msg === "request");
    expect(requests).toHaveLength(101);
  });

  it("serves when the reader of its log has gone, and logs again when one comes", async () => {
    pipe.close();
    for (let sent = 0; sent < 5; sent++) expect(await client.send(issue(id))).toMatchObject(issued);
    expect(await health(at.origin)).toMatchObject({ status: "degraded", log: "unwritable" });
    pipe.open();
    await until(async () => (await health(at.origin)).log === "ok");
    expect(linesOf(pipe.read()).filter(({ msg }) => msg === "request")).toHaveLength(5);
  });

  it("hands out no token while the audit's disk is full, and continues the line that was cut off", async () => {
    const limit = (bytes: string) => execFileSync("prlimit", [`--pid=${program.pid}`, `--fsize=${bytes}:`]);
    const before = linesOf(readFileSync(auditFile, "utf8")).length;
    limit(String(statSync(auditFile).size + 50));
    expect(await client.send(issue(id), {}, { headers: { "x-request-id": "withheld" } })).toMatchObject(
      unavailable,
    );
    expect(await client.send(issue(id))).toMatchObject(unavailable);
    expect(await health(at.origin)).toMatchObject({ status: "degraded", audit: "unwritable" });
    expect(readFileSync(auditFile, "utf8").endsWith("\n")).toBe(false);
    limit("unlimited");
    expect(await client.send(issue(id))).toMatchObject(issued);
    expect(await health(at.origin)).toMatchObject({ status: "ready", audit: "ok" });
    expect(linesOf(readFileSync(auditFile, "utf8")).slice(before)).toMatchObject([
      { action: "token.issue", requestId: "withheld" },
      { action: "token.issue" },
    ]);
  });

  it("serves with stdout and stderr on a full disk, all but what the audit there tells of", async () => {
    const port = await freePort();
    await using full = start(">/dev/full 2>/dev/full", { AUDIT_LOG: "stdout", PORT: String(port) });
    const origin = `http://127.0.0.1:${port}`;
    await until(async () => (await health(origin)).code === "200", 60_000);
    const itsClient = new GraphqlClient(`${origin}/graphql`, { "x-api-key": developmentKey });
    for (let sent = 0; sent < 3; sent++) expect(await itsClient.send(create)).toMatchObject(unavailable);
    expect(await itsClient.send("{ viewer { name } }")).toMatchObject({ status: 200 });
    expect(await health(origin)).toMatchObject({
      status: "degraded",
      log: "unwritable",
      audit: "unwritable",
    });
    expect(await full.end("SIGTERM")).toMatchObject({ code: 0, signal: null });
  }, 90_000);

  it.each([
    ["uncaughtException", "throw error"],
    ["unhandledRejection", "void Promise.reject(error)"],
  ])(
    "logs an %s without secrets, and ends with 1",
    async (origin, fault) => {
      const fixture = join(folder, `${origin}.cjs`);
      writeFileSync(
        fixture,
        `process.on("SIGWINCH", () => { const error = new Error("it broke: key ${developmentKey}, Bearer " + "x".repeat(40)); ${fault}; });`,
      );
      await using program = start("", { NODE_OPTIONS: `--require ${fixture}` });
      await announced(program);
      program.signal("SIGWINCH");
      const { code, stderr } = await program.ended;
      expect(code).toBe(1);
      expect(linesOf(stderr).at(-1)).toMatchObject({
        level: "fatal",
        origin,
        stack: expect.stringContaining("it broke: key [secret], Bearer [token]"),
      });
      expect(stderr).not.toContain(developmentKey);
    },
    60_000,
  );
});
