/** `start` as a process: what it says, what it serves, and how it ends. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "@jest/globals";
import {
  CreateIdentityAndTokenDocument,
  IssueTokenDocument,
  ViewerDocument,
} from "../../../operations/generated/operations";
import { GraphqlClient } from "../../support/graphql-client";
import { startRedis } from "../../support/redis-server";
import { announced, Program, type Announced } from "../../support/program";

const clientOf = ({ url, apiKey }: Announced) => new GraphqlClient(url, { "x-api-key": apiKey });

describe("a development gateway", () => {
  it("says where everything is, and everything is there", async () => {
    await using program = new Program({});
    const { url, origin, apiKey, emulator, connectionString } = await announced(program);
    expect(program.stdout).toBe(
      [
        "",
        `  Gateway    ${url}`,
        "  Rules      development: NODE_ENV is not set",
        `  Explorer   ${origin}/explorer#key=${apiKey}`,
        `  Status     ${origin}/status#key=${apiKey}`,
        `  API key    ${apiKey}   (header x-api-key)`,
        `  Sandbox    ${url}   (Apollo's script: paste a key yourself)`,
        `  Tokens     issued by the emulator at ${emulator}`,
        `             ${connectionString}`,
        "  Cache      in this process; set REDIS_URL to share it between replicas",
        "",
        "  Ctrl-C ends it.",
        "",
        "",
      ].join("\n"),
    );
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/graphql$/);
    expect(apiKey.length).toBeGreaterThanOrEqual(32);
    const explorer = await fetch(`${origin}/explorer`, { headers: { accept: "text/html" } });
    expect([explorer.status, explorer.headers.get("content-type")]).toEqual([
      200,
      expect.stringMatching(/^text\/html/),
    ]);
    const sandbox = await fetch(url, { headers: { accept: "text/html" } });
    expect([sandbox.status, await sandbox.text()]).toEqual([200, expect.stringContaining("Sandbox")]);
    const { createIdentity } = await new GraphqlClient(url, { "x-api-key": apiKey }).data(
      CreateIdentityAndTokenDocument,
      {},
    );
    expect(createIdentity.accessToken?.source).toBe("ISSUED");
    expect((await new GraphqlClient(url).error(ViewerDocument)).extensions.code).toBe("UNAUTHENTICATED");
  });

  it("logs first which rules are in force, and why", async () => {
    await using development = new Program({ environment: { NODE_ENV: " Test\r" } });
    await using production = new Program({
      environment: {
        NODE_ENV: "Staging\r",
        HOST: "127.0.0.1",
        ACS_CONNECTION_STRING: `endpoint=https://contoso.invalid/;accesskey=${Buffer.alloc(64, 1).toString("base64")}`,
        API_KEYS: `backend:${"ab".repeat(32)} rights=all\r`,
        DIRECTORY_PATH: "",
      },
    });
    const { origin } = await announced(production);
    await announced(development);
    const [first = ""] = production.stderr.split("\n");
    const reason = 'NODE_ENV is "Staging", and all but development and test have the production rules';
    expect(JSON.parse(first)).toMatchObject({
      level: "info",
      msg: "rules in force",
      rules: "production",
      reason,
    });
    expect(production.stdout).toContain(`Rules      production: ${reason}`);
    expect(production.stdout).not.toMatch(/API key|Explorer/);
    expect((await fetch(`${origin}/explorer`)).status).toBe(404);
    const [other = ""] = development.stderr.split("\n");
    expect(JSON.parse(other)).toMatchObject({ rules: "development", reason: 'NODE_ENV is "Test"' });
  });

  it("makes up another key at each start, and takes the one that it is given", async () => {
    await using first = new Program({});
    await using second = new Program({});
    await using third = new Program({ environment: { DEVELOPMENT_API_KEY: "a-key-that-the-user-chose" } });
    const keys = await Promise.all(
      [first, second, third].map(async (each) => (await announced(each)).apiKey),
    );
    expect(keys[0]).not.toBe(keys[1]);
    expect(keys[2]).toBe("a-key-that-the-user-chose");
  });

  it("lets a second gateway issue through its emulator, and share a Redis with it", async () => {
    await using redis = await startRedis();
    const shared = {
      REDIS_URL: redis.url,
      TOKEN_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
    };
    await using first = new Program({ environment: shared });
    const one = await announced(first);
    await using second = new Program({
      environment: { ...shared, ACS_CONNECTION_STRING: one.connectionString },
    });
    const two = await announced(second);
    expect(second.stdout).toContain(`Tokens     issued by ${one.emulator}`);
    expect(two.connectionString).toBe("");
    const { createIdentity } = await clientOf(one).data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] });
    const variables = { identityId: createIdentity.identity.id, scopes: ["CHAT" as const] };
    const { issueToken } = await clientOf(two).data(IssueTokenDocument, variables);
    expect(issueToken.accessToken).toMatchObject({
      source: "CACHE",
      token: createIdentity.accessToken?.token,
    });
  });
});

describe("the end of a gateway", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "is clean and prompt on %s, with idle connections open",
    async (signal) => {
      await using program = new Program({});
      const { url } = await announced(program);
      await fetch(url.replace("/graphql", "/health/live"));
      const silent = connect(Number(new URL(url).port), "127.0.0.1");
      await once(silent, "connect");
      const asked = Date.now();
      const { code, stderr } = await program.end(signal);
      silent.destroy();
      const lines = stderr.trimEnd().split("\n");
      expect({ code, lines }).toEqual({
        code: 0,
        lines: [expect.stringContaining('"msg":"rules in force"')],
      });
      expect(Date.now() - asked).toBeLessThan(2_000);
    },
  );

  it("waits for a request in flight, and answers it", async () => {
    await using program = new Program({});
    const where = await announced(program);
    await slowDown(where, 1_000);
    const answer = clientOf(where).send(CreateIdentityAndTokenDocument, {});
    await untilUnderWay(where);
    const ended = program.end("SIGTERM");
    expect((await answer).data?.createIdentity.accessToken?.source).toBe("ISSUED");
    expect((await ended).code).toBe(0);
  });

  it("comes at once on a second signal", async () => {
    await using program = new Program({});
    const where = await announced(program);
    await slowDown(where, 9_000);
    const answer = clientOf(where).send(CreateIdentityAndTokenDocument, {});
    answer.catch(() => undefined);
    await untilUnderWay(where);
    program.signal("SIGINT");
    await untilRefused(where);
    const asked = Date.now();
    const { code, signal } = await program.end("SIGINT");
    expect([code, signal]).not.toEqual([0, null]);
    expect(Date.now() - asked).toBeLessThan(2_000);
    await expect(answer).rejects.toThrow();
  });
});

async function slowDown({ emulator }: Announced, latencyMs: number): Promise<void> {
  const answer = await fetch(new URL("/_emulator/faults", emulator), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kind: "answerLate", latencyMs }),
  });
  expect(answer.status).toBe(200);
}

/** Until the emulator has the gateway's call. */
async function untilUnderWay({ emulator }: Announced): Promise<void> {
  for (;;) {
    const { identities } = (await (await fetch(new URL("/_emulator/identities", emulator))).json()) as {
      identities: readonly unknown[];
    };
    if (identities.length > 0) return;
  }
}

/** Until the gateway takes no more connections. */
async function untilRefused({ url }: Announced): Promise<void> {
  for (let open = true; open;) {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    open = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
  }
}
