/** API keys: named, limited, ended and changed without a restart, and nowhere in clear. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { ConfigError, loadConfig } from "../../../src/config";
import { hashApiKey } from "../../../src/services/access/api-key";
import { GraphqlClient } from "../../support/graphql-client";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

const viewer = "{ viewer { name rights scopes } }";
const entry = (name: string, key: string, fields = "rights=all") =>
  `${name}:${hashApiKey(key).toString("hex")} ${fields}`;
const as = (world: World, key: string) => new GraphqlClient(world.client.url, { "x-api-key": key });

describe("a key", () => {
  it("is one of several under a name, so that a service changes it without a gap", async () => {
    await using world = await startWorld({
      environment: { API_KEYS: `${entry("backend", "old")}, ${entry("backend", "new")}` },
    });
    for (const key of ["old", "new"]) {
      expect(await as(world, key).data(viewer)).toMatchObject({ viewer: { name: "backend" } });
    }
    expect((await as(world, "other").send(viewer)).status).toBe(401);
  });

  it("ends at its time", async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    await using world = await startWorld({
      environment: { API_KEYS: entry("backend", "a key", `rights=all expires=${tomorrow}`) },
    });
    expect((await as(world, "a key").send(viewer)).status).toBe(200);
    const left = Date.parse(tomorrow) - world.clock.now();
    world.clock.advanceBy({ ms: left - 1 });
    expect((await as(world, "a key").send(viewer)).status).toBe(200);
    world.clock.advanceBy({ ms: 1 });
    expect(await as(world, "a key").error(viewer)).toMatchObject({ status: 401 });
  });

  it("has the scopes that its entry names, and those that are part of them", async () => {
    await using world = await startWorld({
      environment: {
        API_KEYS: entry("backend", "a key", "rights=identity:create+token:issue:any scopes=chat.join"),
      },
    });
    const client = as(world, "a key");
    expect(await client.data(viewer)).toEqual({
      viewer: {
        name: "backend",
        rights: ["identity:create", "token:issue:any"],
        scopes: ["CHAT_JOIN", "CHAT_JOIN_LIMITED"],
      },
    });
    const create = (scope: string) =>
      `mutation { createIdentity(input: { scopes: [${scope}] }) { identity { id } } }`;
    expect((await client.send(create("CHAT_JOIN_LIMITED"))).errors).toBeUndefined();
    expect(await client.error(create("CHAT"))).toMatchObject({
      status: 403,
      extensions: { code: "FORBIDDEN", argument: "input.scopes" },
      message: "This caller may have tokens with the scopes CHAT_JOIN, CHAT_JOIN_LIMITED, and no others.",
    });
  });
});

describe("an entry that is wrong is told in words, without its key", () => {
  const hash = hashApiKey("a key").toString("hex");
  it.each([
    ["backend:nohash rights=all", "must be <name>:<SHA-256 of the key in hex> rights="],
    [`backend:${hash}`, "must say what backend may do: rights=all, or some of"],
    [`backend:${hash} rights=token:steal`, "must give backend rights among"],
    [`backend:${hash} rights=all scopes=video`, "must give backend scopes among chat, chat.join"],
    [`backend:${hash} rights=all expires=soon`, "must give backend an expires such as 2027-01-31"],
    [`backend:${hash} rights=all expires=2027-02-31T99:00Z`, "must give backend an expires such as"],
    [`backend:${hash} rights=all expires=2027-01-31 expires=2028-01-31`, "must give backend one expires"],
    [`backend:${hash} rights=all requests-per-minute=0`, "must give backend a requests-per-minute from 1 to"],
    [`backend:${hash} right=all`, "has a field that is none of rights=…"],
    [",", "must be <name>:<SHA-256"],
  ])("%s", (API_KEYS, problem) => {
    const acs = {
      ACS_CONNECTION_STRING: "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0",
    };
    let problems: readonly string[] = [];
    try {
      loadConfig({ ...acs, API_KEYS });
    } catch (error) {
      if (error instanceof ConfigError) problems = error.problems;
    }
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`API_KEYS ${problem}`);
    expect(problems[0]).not.toContain(hash);
  });
});

describe("a file of keys", () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-api-keys-"));
    file = join(folder, "keys");
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function replace(text: string): Promise<void> {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
    // As an operator does, who does not want to wait five seconds.
    process.emit("SIGHUP");
  }

  it("changes who may call while the gateway runs; a wrong one changes nothing and is told", async () => {
    await replace(`# our services\n${entry("backend", "first")}  # until June\n`);
    await using world = await startWorld({ environment: { API_KEYS_FILE: file } });
    const status = async (key: string) => (await as(world, key).send(viewer)).status;
    expect([await status("first"), await status("second")]).toEqual([200, 401]);
    await replace(`${entry("backend", "first")}\n${entry("other", "second", "rights=schema:read")}`);
    await until(async () => (await status("second")) === 200);
    expect(await status("first")).toBe(200);
    await replace(entry("other", "second"));
    await until(async () => (await status("first")) === 401);
    await replace("other:nonsense rights=all");
    await until(() => world.events.lines.some((line) => line.includes("API_KEYS_FILE is wrong")));
    expect(await status("second")).toBe(200);
    // The development key is the gateway's own, whatever the file has.
    expect((await world.client.send(viewer)).status).toBe(200);
    const log = world.events.lines.join("");
    expect(log).toContain('"names":["other"]');
    for (const key of ["first", "second"]) expect(log).not.toContain(hashApiKey(key).toString("hex"));
  });
});
