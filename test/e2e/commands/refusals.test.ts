/** What keeps a gateway from starting is told in a readable message, and costs exit code 1. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { developmentAccessKey } from "../../../emulator/development";
import { runProgram, type Ended } from "../../support/program";

/** The message; checks that there is nothing else to be seen. */
function refusal({ code, stdout, stderr }: Ended): string {
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).not.toMatch(/^ +at |node:internal|Error:/m);
  // What is found out once the gateway has a log comes after the log's first line.
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.includes('"msg":"rules in force"'));
  expect(lines[0]).toMatch(/^acs-token-gateway: /);
  return lines.join("\n").replace("acs-token-gateway: ", "");
}

const start = async (environment: Readonly<Record<string, string>>) =>
  refusal(await runProgram({ environment }));

describe("a port that is taken", () => {
  it.each([
    ["PORT", (port: number) => `Port ${port} is in use. Set PORT to another one, or to 0 for any free one.`],
    [
      "EMULATOR_PORT",
      (port: number) =>
        `Port ${port} for the emulator is in use. Set EMULATOR_PORT to another one, or ACS_CONNECTION_STRING to use the emulator that runs there.`,
    ],
  ])("is told in one line that names %s", async (variable, message) => {
    await using taken = await listen();
    expect(await start({ [variable]: String(taken.port) })).toBe(message(taken.port));
  });
});

describe("a Redis that cannot be used", () => {
  it("is told in one line without its password when nobody listens there", async () => {
    const { port, ...gone } = await listen();
    await gone[Symbol.asyncDispose]();
    const REDIS_URL = `redis://user:a-password-of-redis@127.0.0.1:${port}`;
    const ended = await runProgram({ environment: { REDIS_URL } });
    expect(refusal(ended)).toBe(
      `Redis at 127.0.0.1:${port} does not answer (ECONNREFUSED). Is it running, and is REDIS_URL right?`,
    );
    expect(ended.stderr).not.toContain("a-password");
  });

  it("is told in one line when it takes connections and never answers", async () => {
    await using silent = await listen();
    expect(await start({ REDIS_URL: `redis://127.0.0.1:${silent.port}` })).toMatch(
      /^Redis at 127\.0\.0\.1:\d+ does not answer \(\w+\)\. Is it running, and is REDIS_URL right\?$/,
    );
  });
});

describe("a configuration that is wrong", () => {
  it("is told in one message that lists every variable at fault, and no secret", async () => {
    const message = await start({
      PORT: "seventy",
      LOG_LEVEL: "loud",
      REDIS_URL: "http://127.0.0.1",
      REDIS_TIMEOUT_MS: "1",
      TOKEN_ENCRYPTION_KEYS: "k1:c2VjcmV0LXNlY3JldA==",
      API_KEYS: "me:secret-secret",
      DEVELOPMENT_API_KEY: "secret",
      ACS_CONNECTION_STRING: "endpoint=nowhere;accesskey=c2VjcmV0LXNlY3JldA==",
      ACS_CONECTION_STRING: "secret-secret",
    });
    const names = [...message.matchAll(/^ {2}- (\w+) /gm)].map(([, name]) => name).sort();
    expect(names).toEqual([
      "ACS_CONECTION_STRING",
      "ACS_CONNECTION_STRING",
      "API_KEYS",
      "DEVELOPMENT_API_KEY",
      "LOG_LEVEL",
      "PORT",
      "REDIS_TIMEOUT_MS",
      "REDIS_URL",
      "TOKEN_ENCRYPTION_KEYS",
    ]);
    expect(message).not.toMatch(/secret|c2VjcmV0/);
  });

  it("is told before the bundled emulator is started, its own port included", async () => {
    expect(await start({ EMULATOR_PORT: "many" })).toBe(
      "EMULATOR_PORT must be a whole number from 0 to 65535.",
    );
    expect(await start({ HOST: "192.0.2.1" })).toBe(
      "This machine has no address 192.0.2.1. Set HOST to one of its own, or 0.0.0.0.",
    );
  });

  it("ends `check` in the same way", async () => {
    const ended = await runProgram({ args: ["check"], environment: { PORT: "seventy" } });
    expect(refusal(ended)).toContain("  - PORT must be a whole number from 0 to 65535.");
  });
});

describe("production", () => {
  const complete = {
    NODE_ENV: "production",
    ACS_CONNECTION_STRING: `endpoint=https://contoso.communication.azure.com/;accesskey=${Buffer.alloc(64, 1).toString("base64")}`,
    API_KEYS: `backend:${"ab".repeat(32)} rights=all`,
  };

  it.each([
    [
      "without any credential",
      { ACS_CONNECTION_STRING: "", API_KEYS: "" },
      [
        "ACS_CONNECTION_STRING or ACS_ENDPOINT must be set",
        "API_KEYS, API_KEYS_FILE or OIDC_ISSUERS must be set in production",
      ],
    ],
    ...["production\r", "Production ", "prod"].map((NODE_ENV): [string, Record<string, string>, string[]] => [
      `whose name is ${JSON.stringify(NODE_ENV)} without any credential`,
      { NODE_ENV, ACS_CONNECTION_STRING: "", API_KEYS: "" },
      ["ACS_CONNECTION_STRING or ACS_ENDPOINT must be set"],
    ]),
    [
      "without keys of callers",
      { API_KEYS: "" },
      ["API_KEYS, API_KEYS_FILE or OIDC_ISSUERS must be set in production"],
    ],
    [
      "with the emulator's key",
      {
        ACS_CONNECTION_STRING: `endpoint=https://contoso.communication.azure.com/;accesskey=${developmentAccessKey}`,
      },
      ["ACS_CONNECTION_STRING has the emulator's published access key, which production refuses."],
    ],
    [
      "with plain http",
      { ACS_CONNECTION_STRING: complete.ACS_CONNECTION_STRING.replace("https://contoso", "http://contoso") },
      ["ACS_CONNECTION_STRING must have an https endpoint"],
    ],
    [
      "with the development key",
      { DEVELOPMENT_API_KEY: "a-development-key" },
      ["DEVELOPMENT_API_KEY must not be set in production"],
    ],
    [
      "with Redis and no keys for it",
      { REDIS_URL: "redis://127.0.0.1:1" },
      ["TOKEN_ENCRYPTION_KEYS or TOKEN_ENCRYPTION_KEYS_FILE must be set in production with REDIS_URL"],
    ],
  ])("refuses to start %s", async (_title, change, problems) => {
    const ended = await runProgram({ environment: { ...complete, ...change } });
    const message = refusal(ended);
    for (const problem of problems) expect(message).toContain(problem);
    expect(message).not.toContain(developmentAccessKey);
  });
});

describe("the command line", () => {
  it.each([
    [["strat"], "unknown command 'strat' (Did you mean start?)"],
    [["quickstart", "--ur", "x"], "unknown option '--ur'"],
  ])("refuses %j in one line", async (args, message) => {
    const { code, stderr } = await runProgram({ args });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

/** A listener that takes connections and says nothing. */
async function listen(): Promise<{ readonly port: number } & AsyncDisposable> {
  // What arrives is read, or the end of a connection would never be seen.
  const server: Server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}
