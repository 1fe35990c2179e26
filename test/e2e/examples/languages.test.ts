/** The quickstart in each language of examples/ whose toolchain is on this machine, against a real gateway. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FaultKind } from "../../../emulator/fault";
import { CreateIdentityDocument } from "../../../operations/generated/operations";
import { systemClock } from "../../../src/services/clock";
import { runProgram, type Ended } from "../../support/program";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { developmentKey, startWorld, type World } from "../../support/world";

/** What runs an example: a program and its arguments. */
type Command = readonly [string, ...string[]];

interface Language {
  readonly name: string;
  readonly needs: string;
  readonly isHere: () => boolean;
  /** As examples/README.md says. */
  readonly command?: Command;
  /** The same, built once into this folder, where the toolchain takes long to start. */
  readonly build?: (folder: string) => Promise<Command>;
}

const examples = join(__dirname, "..", "..", "..", "examples");
const inExamples = (...path: string[]) => join(examples, ...path);

const languages: readonly Language[] = [
  {
    name: "JavaScript",
    needs: "Node.js",
    isHere: () => true,
    command: [process.execPath, inExamples("javascript", "quickstart.mjs")],
  },
  {
    name: "Python",
    needs: "Python 3.10",
    isHere: () => succeeds("python3", "-c", "import sys; sys.exit(sys.version_info < (3, 10))"),
    command: ["python3", inExamples("python", "quickstart.py")],
  },
  {
    name: "Java",
    needs: "a JDK of Java 11",
    isHere: () => succeeds("javac", "--release", "11", "--version"),
    command: ["java", inExamples("java", "Quickstart.java")],
    build: async (folder) => {
      const flags = ["--release", "11", "-Xlint:all,-options", "-Werror"];
      await built("javac", [...flags, "-d", folder, inExamples("java", "Quickstart.java")], folder);
      return ["java", "-cp", folder, "-XX:TieredStopAtLevel=1", "Quickstart"];
    },
  },
  {
    name: "C#",
    needs: "an SDK of .NET 8",
    isHere: () => dotnetVersion() >= 8,
    // Not `dotnet run`, which writes into the folder of the example.
    build: async (folder) => {
      await cp(inExamples("csharp"), join(folder, "source"), { recursive: true });
      // The framework of the SDK that is here comes with it; any other would have to be downloaded.
      const framework = `-p:TargetFramework=net${dotnetVersion()}.0`;
      const output = join(folder, "out");
      const flags = [framework, "--disable-build-servers", "--output", output];
      await built("dotnet", ["build", join(folder, "source"), ...flags], folder);
      return ["dotnet", join(output, "Quickstart.dll")];
    },
  },
  {
    name: "curl",
    needs: "curl",
    isHere: () => succeeds("curl", "--version"),
    command: ["sh", inExamples("curl", "quickstart.sh")],
  },
];

function succeeds(file: string, ...args: string[]): boolean {
  return spawnSync(file, args, { stdio: "ignore" }).status === 0;
}

/** The SDK's major version; NaN when there is none. */
function dotnetVersion(): number {
  const { stdout } = spawnSync("dotnet", ["--version"], { encoding: "utf8" });
  return Number.parseInt(stdout, 10);
}

/** Runs a compiler to its end. It keeps what it caches in `folder`. */
async function built(file: string, args: string[], folder: string): Promise<void> {
  const environment = { DOTNET_CLI_HOME: folder, DOTNET_NOLOGO: "1", DOTNET_CLI_TELEMETRY_OPTOUT: "1" };
  const { code, stdout, stderr } = await runProgram({ file, args, environment });
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${stdout}${stderr}`);
}

const id = String.raw`8:acs:[0-9a-f-]{36}_[0-9a-f-]{36}`;
const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
const token = (source: string) => ` {3}eyJhbGci\\.\\.\\. ${source}, expires on ${time}`;
const headline = (url: string) => `ACS access tokens through the gateway at ${url}`;

/** The lines of the whole quickstart, as patterns. */
const allSteps = (url: string) => [
  headline(url),
  "",
  "1. Create an identity",
  ` {3}${id}`,
  "",
  String.raw`2. Issue a token \(chat, voip\)`,
  token("ISSUED"),
  "",
  "3. Issue it once more: it comes from the cache",
  token("CACHE"),
  "",
  String.raw`4. Create an identity and a token in one call \(60 minutes\)`,
  ` {3}${id}`,
  token("ISSUED"),
  "",
  "5. Refresh: a new token although the cached one is good",
  token("ISSUED"),
  "",
  "6. Revoke all tokens",
  ` {3}The gateway serves none of them any more; Azure refuses them by ${time}`,
  "",
  "7. Delete the identities",
  ` {3}${id} is deleted`,
  ` {3}${id} is deleted`,
  "",
  "8. Exchange a Teams user's token",
];

function expectLines(stdout: string, patterns: readonly string[]): void {
  const lines = stdout.replaceAll("\r\n", "\n").trimEnd().split("\n");
  expect(lines).toEqual(patterns.map((line) => expect.stringMatching(new RegExp(`^${line}$`)) as unknown));
}

/** What is to be seen of a program that has failed: its code, and one line for its reader. */
function expectFailure({ code, stderr }: Ended, message: RegExp): void {
  expect(stderr.trimEnd().split(/\r?\n/)).toEqual([expect.stringMatching(message)]);
  expect(code).toBe(1);
}

const clientId = "11111111-2222-4333-8444-555555555555";
const userObjectId = "99999999-8888-4777-8666-555555555555";

let issuer: Issuer;
let folder: string;
/** A gateway that is never told to misbehave, and one whose Azure wants to be asked no sooner than in an hour. */
let healthy: string;
let throttled: string;
const here = languages.filter(({ isHere }) => isHere());
const builds = new Map<Language, Promise<Command>>();
const worlds: World[] = [];
beforeAll(async () => {
  issuer = await startIssuer();
  folder = await mkdtemp(join(tmpdir(), "quickstart-"));
  healthy = (await world()).url;
  const overrun = await world();
  throttled = overrun.url;
  overrun.emulator.faults.add({ ...tooMany("3600"), operation: "issueAccessToken" });
  for (const language of here) builds.set(language, build(language));
  // A build that fails is a failure of its own language's tests alone.
  await Promise.allSettled(builds.values());
}, 120_000);
afterAll(async () => {
  for (const world of worlds) await world[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function build({ name, build, command }: Language): Promise<Command> {
  const built = (await build?.(await mkdtemp(join(folder, "build-")))) ?? command;
  if (!built) throw new Error(`Nothing tells how to run ${name}.`);
  return built;
}

/** Azure's refusal, which says after how many seconds it may be asked again. */
function tooMany(retryAfter: string): FaultKind {
  return { kind: "status", status: 429, headers: { "retry-after": retryAfter } };
}

/** A world whose clocks are the machine's, as the programs' are. */
async function world(environment: Record<string, string> = {}) {
  const parts = { clock: systemClock };
  const made = await startWorld({ parts, environment, emulator: { clock: () => systemClock.now() } });
  worlds.push(made);
  return { emulator: made.emulator, client: made.client, url: made.gateways[0]!.url };
}

async function run([file, ...args]: Command, environment: Record<string, string>): Promise<Ended> {
  return runProgram({ file, args, environment: { NO_PROXY: "*", ...environment } });
}

for (const { name, needs } of languages.filter((language) => !here.includes(language))) {
  it.skip(`${name} was not run: ${needs} or newer is not on this machine`, () => undefined);
}

/** Runs the built example, which starts faster. */
async function quick(language: Language, environment: Record<string, string>): Promise<Ended> {
  return run(await builds.get(language)!, environment);
}

// First, since they wait most of the time, and the others need not wait for them.
for (const language of here) {
  it.concurrent(
    `${language.name}: waits as long as it is told when a limit is reached, and goes on`,
    async () => {
      // The gateway waits for Azure itself as long as it may, which is shorter than Azure wants.
      const { emulator, url } = await world({ ACS_TIMEOUT_MS: "2000" });
      emulator.faults.add({ ...tooMany("3"), operation: "issueAccessToken", times: 1 });
      const startedAt = performance.now();
      const { code, stdout, stderr } = await quick(language, { GATEWAY_URL: url, API_KEY: developmentKey });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(performance.now() - startedAt).toBeGreaterThan(2_900);
      expectLines(stdout, [
        ...allSteps(url),
        " {3}Left out: TEAMS_USER_TOKEN, TEAMS_CLIENT_ID and TEAMS_USER_ID are not set",
      ]);
      const { faulted, worked } = emulator.counts.snapshot().operations.issueAccessToken!;
      expect({ faulted, worked }).toEqual({ faulted: 1, worked: 2 });
    },
  );
}

for (const language of here) {
  const { name } = language;

  it.concurrent(
    `${name}: prints what came of each step, never a whole token, and leaves nothing at the service`,
    async () => {
      const { emulator, url } = await world();
      const teams = {
        TEAMS_USER_TOKEN: await emulator.entra.teamsToken({ clientId, userObjectId }),
        TEAMS_CLIENT_ID: clientId,
        TEAMS_USER_ID: userObjectId,
      };
      const environment = { GATEWAY_URL: url, API_KEY: developmentKey, ...teams };
      const { code, stdout, stderr } = await (language.command
        ? run(language.command, environment)
        : quick(language, environment));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expectLines(stdout, [...allSteps(url), token("ISSUED")]);
      expect(stdout).not.toMatch(/eyJhbGci[\w-]/);
      expect(emulator.identities.list().map(({ deleted }) => deleted)).toEqual([true, true]);
      const { operations } = emulator.counts.snapshot();
      const worked = Object.fromEntries(
        Object.entries(operations).map(([name, counts]) => [name, counts.worked]),
      );
      expect(worked).toEqual({
        createIdentity: 1,
        createIdentityWithToken: 1,
        issueAccessToken: 2,
        revokeAccessTokens: 1,
        deleteIdentity: 2,
        exchangeTeamsToken: 1,
      });
    },
  );

  it.concurrent(
    `${name}: issues a user's token for his own identity, by his access token alone`,
    async () => {
      const { emulator, client, url } = await world({
        OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
      });
      const own = (await client.data(CreateIdentityDocument)).createIdentity.identity.id;
      const accessToken = await issuer.token("alice", { acs: own });
      const { code, stdout, stderr } = await quick(language, { GATEWAY_URL: url, ACCESS_TOKEN: accessToken });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expectLines(stdout, [
        headline(url),
        "",
        String.raw`1. Issue a token for your own identity \(chat, voip\)`,
        ` {3}${own}`,
        token("ISSUED"),
        "",
        "2. Issue it once more: it comes from the cache",
        token("CACHE"),
      ]);
      expect(emulator.worked("issueAccessToken")).toBe(1);
    },
  );

  it.concurrent(`${name}: does not wait for an hour`, async () => {
    const ended = await quick(language, { GATEWAY_URL: throttled, API_KEY: developmentKey });
    expectFailure(
      ended,
      /^The gateway answers RATE_LIMITED: .+ \(wait 3\d{3} s\) A limit is reached; try again later\.$/,
    );
  });

  it.concurrent(`${name}: never repeats the making of an identity`, async () => {
    const { emulator, url } = await world();
    emulator.faults.add({ kind: "resetAfter", operation: "createIdentity" });
    const ended = await quick(language, { GATEWAY_URL: url, API_KEY: developmentKey });
    expectFailure(ended, /^The gateway answers UPSTREAM_UNAVAILABLE: .+ try again later\.$/);
    expect(emulator.worked("createIdentity")).toBe(1);
  });

  it.concurrent(`${name}: tells in one line that the key is wrong, and what to do`, async () => {
    const ended = await quick(language, { GATEWAY_URL: healthy, API_KEY: "not-the-key-of-this-gateway" });
    expectFailure(
      ended,
      /^The gateway answers UNAUTHENTICATED: .+ npm start prints the key, set API_KEY to it\.$/,
    );
  });

  it.concurrent.each([
    ["no key", { API_KEY: "" }, /^Set API_KEY to the key that npm start has printed, or ACCESS_TOKEN /],
    ["a key that is none", { API_KEY: "two words" }, /^Set API_KEY to the key that npm start has printed/],
    [
      "no gateway",
      { API_KEY: "any", GATEWAY_URL: "http://127.0.0.1:1/graphql" },
      /^No gateway answers at http:\/\/127\.0\.0\.1:1\/graphql\. Start one with: npm start$/,
    ],
    [
      "no URL",
      { API_KEY: "any", GATEWAY_URL: "localhost:4000" },
      /^GATEWAY_URL is not a URL: localhost:4000$/,
    ],
  ])(`${name}: tells in one line that there is %s`, async (_what, environment, message) => {
    expectFailure(await quick(language, environment), message);
  });

  it.concurrent(`${name}: takes its key nowhere else, though it is redirected there`, async () => {
    const paths: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url);
      response.writeHead(307, { location: "/elsewhere" }).end("<html>Moved</html>");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
      const ended = await quick(language, { GATEWAY_URL: url, API_KEY: "a-key" });
      expectFailure(
        ended,
        /^What answers at .+ is not the gateway \(HTTP 307\)\. Is this its GraphQL endpoint\?$/,
      );
      expect(paths).toEqual(["/graphql"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}
