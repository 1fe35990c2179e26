/** Encryption keys change while gateways run: nothing cached is lost on the way, and a wrong file changes nothing. */
import { EventEmitter } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { CreateIdentityAndTokenDocument, IssueTokenDocument } from "../../../operations/generated/operations";
import { ConfigError, loadConfig, type Environment } from "../../../src/config";
import { describeConfig } from "../../../src/config/describe";
import { parseEncryptionKeys } from "../../../src/services/tokens/encryption-keys";
import { FileKeyRing } from "../../../src/services/tokens/key-ring";
import { announced, Program } from "../../support/program";
import { recordEvents } from "../../support/recorded-events";
import { startRedis } from "../../support/redis-server";
import { until } from "../../support/until";
import { startWorld, type World } from "../../support/world";

const key = (id: string, fill: number) => `${id}:${Buffer.alloc(32, fill).toString("base64")}`;
const [first, second, third] = [key("first", 1), key("second", 2), key("third", 3)];

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "acs-token-gateway-keys-"));
  file = join(directory, "keys");
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** As whole files are replaced: nobody reads half of one. */
async function replace(text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

function open(text: string) {
  const events = recordEvents();
  const signals = new EventEmitter();
  const ring = new FileKeyRing(
    parseEncryptionKeys(text).value ?? [],
    { path: file, intervalMs: 10, signals },
    events,
  );
  const told = () =>
    events.lines
      .map((line) => JSON.parse(line) as { keyIds?: string[]; reason?: string })
      .map(({ keyIds, reason }) => keyIds?.join() ?? reason ?? "");
  const ids = () => ring.current().map(({ id }) => id);
  const secret = () => ring.current()[0]?.secret.export().toString("base64");
  return { signals, events, told, ids, secret, [Symbol.asyncDispose]: () => ring[Symbol.asyncDispose]() };
}

it("shows no byte of a key to who prints it", () => {
  const [key] = parseEncryptionKeys(`k1:${Buffer.alloc(32, "secret!!").toString("base64")}`).value ?? [];
  expect(key?.secret.export().toString()).toBe("secret!!".repeat(4));
  for (const text of [inspect(key, { depth: Infinity, showHidden: true }), JSON.stringify(key)]) {
    expect(text).toContain("k1");
    expect(text).not.toMatch(/secret!!|73 65 63|c2VjcmV0|7365637265|115,101/);
  }
});

describe("a key file that changes", () => {
  it("is followed, and its change is told by the keys' ids alone", async () => {
    await replace(first);
    await using opened = open(first);
    const { events, told, ids } = opened;
    expect(ids()).toEqual(["first"]);
    await replace(`${second}\n${first}\n`);
    await until(() => Promise.resolve(ids().length === 2));
    expect(ids()).toEqual(["second", "first"]);
    expect(told()).toEqual(["second,first"]);
    for (const secret of [first, second]) expect(events.lines.join()).not.toContain(secret.split(":")[1]);
  });

  it("is followed where a symlink above it is swapped, as Kubernetes does", async () => {
    for (const [name, text] of [
      ["one", first],
      ["two", second],
    ] as const) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "keys"), text);
    }
    const data = join(directory, "..data");
    await symlink("one", data);
    await symlink(join("..data", "keys"), file);
    await using opened = open(first);
    const { ids } = opened;
    await symlink("two", `${data}.new`);
    await rename(`${data}.new`, data);
    await until(() => Promise.resolve(ids()[0] === "second"));
  });

  it("is no news when only its form changes", async () => {
    await replace(`${first},${second}`);
    await using opened = open(`${first},${second}`);
    const { told, ids } = opened;
    await replace(`\n${first}\r\n\n${second}`);
    await replace(`${first},${second},${third}`);
    await until(() => Promise.resolve(ids().length === 3));
    expect(told()).toEqual(["first,second,third"]);
  });

  it.each([
    ["empty", "", "several separated by commas"],
    ["no key", "first:c2hvcnQ=", "must be <key id>:<base64 of 32 bytes>"],
    ["a key id twice", `${first},${key("first", 9)}`, "must not use a key id twice"],
    ["another secret for its key", key("first", 9), "has another secret for the key id first"],
    [
      "a new key beside another secret",
      `${second},${key("first", 9)}`,
      "another secret for the key id first",
    ],
    ["another secret that comes first", `${key("first", 9)},${third}`, "another secret for the key id first"],
    ["gone", undefined, "ENOENT"],
  ])("leaves the keys in force when it is %s, and tells that once", async (_title, text, reason) => {
    await replace(first);
    await using opened = open(first);
    const { events, told, ids } = opened;
    if (text === undefined) await rm(file);
    else await replace(text);
    await until(() => Promise.resolve(told().length > 0));
    expect(told()).toEqual([expect.stringContaining(reason)]);
    expect(ids()).toEqual(["first"]);
    expect(opened.secret()).toBe(first.split(":")[1]);
    if (text) expect(events.lines.join()).not.toContain(text.split(":")[1]);
    await replace(second);
    await until(() => Promise.resolve(ids()[0] === "second"));
    expect(told()).toHaveLength(2);
  });

  it("is read at SIGHUP, and no more once the ring is disposed of", async () => {
    await replace(first);
    const events = recordEvents();
    const signals = new EventEmitter();
    const ring = new FileKeyRing([], { path: file, intervalMs: 3_600_000, signals }, events);
    await until(() => Promise.resolve(ring.current().length === 1));
    await replace(second);
    signals.emit("SIGHUP");
    await until(() => Promise.resolve(ring.current()[0]?.id === "second"));
    await ring[Symbol.asyncDispose]();
    expect(signals.listenerCount("SIGHUP")).toBe(0);
  });

  it("says at each SIGHUP what is wrong with it", async () => {
    await replace("nonsense");
    await using opened = open(first);
    const { signals, told } = opened;
    await until(() => Promise.resolve(told().length === 1));
    signals.emit("SIGHUP");
    await until(() => Promise.resolve(told().length === 2));
  });
});

describe("TOKEN_ENCRYPTION_KEYS_FILE", () => {
  const acs = {
    ACS_CONNECTION_STRING: "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0",
  };
  const problemsOf = (environment: Environment) => {
    try {
      loadConfig({ ...acs, ...environment });
      return [];
    } catch (error) {
      return error instanceof ConfigError ? error.problems : [String(error)];
    }
  };

  it("takes the place of TOKEN_ENCRYPTION_KEYS, and shows as fingerprints", async () => {
    await replace(`${first}\n${second}\n`);
    const config = loadConfig({
      ...acs,
      NODE_ENV: "production",
      API_KEYS: `backend:${"a".repeat(64)} rights=all`,
      REDIS_URL: "redis://host",
      TOKEN_ENCRYPTION_KEYS_FILE: file,
    });
    expect(config.tokens.encryptionKeysMadeUp).toBe(false);
    expect(describeConfig(config).tokens).toMatchObject({
      encryptionKeysFile: file,
      encryptionKeys: [
        expect.stringMatching(/^first:sha256:[0-9a-f]{8}…$/),
        expect.stringMatching(/^second:sha256:[0-9a-f]{8}…$/),
      ],
    });
  });

  it("is refused where it names no file, or one that is wrong, or beside TOKEN_ENCRYPTION_KEYS", async () => {
    expect(problemsOf({ TOKEN_ENCRYPTION_KEYS_FILE: file })).toEqual([
      "TOKEN_ENCRYPTION_KEYS_FILE names a file that cannot be read (ENOENT).",
    ]);
    expect(problemsOf({ TOKEN_ENCRYPTION_KEYS_FILE: directory })).toEqual([
      "TOKEN_ENCRYPTION_KEYS_FILE names a file that cannot be read (EISDIR).",
    ]);
    await replace("k1:not-to-be-shown");
    const [wrong] = problemsOf({ TOKEN_ENCRYPTION_KEYS_FILE: file });
    expect(wrong).toMatch(/^TOKEN_ENCRYPTION_KEYS_FILE names a file whose text must be <key id>/);
    expect(wrong).not.toContain("not-to-be-shown");
    await replace(first);
    expect(problemsOf({ TOKEN_ENCRYPTION_KEYS_FILE: file, TOKEN_ENCRYPTION_KEYS: first })).toEqual([
      "TOKEN_ENCRYPTION_KEYS and TOKEN_ENCRYPTION_KEYS_FILE must not both be set.",
    ]);
  });
});

describe("two gateways with one key file", () => {
  const issue = async (world: World, gateway: number, identityId: string) => {
    const client = world.gateways[gateway]?.client ?? world.client;
    return (await client.data(IssueTokenDocument, { identityId, scopes: ["CHAT"] })).issueToken.accessToken;
  };
  const newIdentity = async (world: World) =>
    (await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] })).createIdentity.identity
      .id;
  /** How many gateways have told of these keys. */
  const toldOf = (world: World, keyIds: string) =>
    world.events.lines.filter((line) => line.includes(`"keyIds":${JSON.stringify(keyIds.split(","))}`))
      .length;

  it("serve what they cached when the file gets another secret under a known id, and say why", async () => {
    await replace(first);
    await using world = await startWorld({
      redis: true,
      gateways: 2,
      environment: { TOKEN_ENCRYPTION_KEYS: "", TOKEN_ENCRYPTION_KEYS_FILE: file },
    });
    const id = await newIdentity(world);
    await replace(key("first", 9));
    process.emit("SIGHUP", "SIGHUP");
    const refusals = () =>
      world.events.lines.filter((line) => line.includes("has another secret for the key id first")).length;
    await until(() => refusals() >= 2);
    expect([(await issue(world, 0, id)).source, (await issue(world, 1, id)).source]).toEqual([
      "CACHE",
      "CACHE",
    ]);
    // A restart with the new file would lose what is cached; a new id does not.
    await replace(`${second}\n${first}`);
    process.emit("SIGHUP", "SIGHUP");
    await until(() => toldOf(world, "second,first") === 2);
    expect((await issue(world, 0, id)).source).toBe("CACHE");
  });

  it("rotate without a restart and without a miss, except what only the removed key opens", async () => {
    await replace(first);
    await using world = await startWorld({
      redis: true,
      gateways: 2,
      environment: { TOKEN_ENCRYPTION_KEYS: "", TOKEN_ENCRYPTION_KEYS_FILE: file },
    });
    const sources = async (ids: readonly string[]) => {
      const tokens = await Promise.all(ids.flatMap((id) => [issue(world, 0, id), issue(world, 1, id)]));
      expect(tokens.every(({ token }) => world.emulator.introspect(token).active)).toBe(true);
      return tokens.map(({ source }) => source);
    };
    const change = async (text: string, ids: string) => {
      await replace(text);
      process.emit("SIGHUP");
      await until(() => Promise.resolve(toldOf(world, ids) === 2));
    };
    const cache = (count: number) => new Array<string>(2 * count).fill("CACHE");

    const old = [await newIdentity(world), await newIdentity(world)];
    expect(await sources(old)).toEqual(cache(2));
    await change(`${first},${second}`, "first,second");
    const added = [...old, await newIdentity(world)];
    expect(await sources(added)).toEqual(cache(3));
    await change(`${second},${first}`, "second,first");
    expect(await sources(added)).toEqual(cache(3));
    const sealedAnew = [await newIdentity(world)];
    expect(await sources([...added, ...sealedAnew])).toEqual(cache(4));

    await replace("half a fi");
    process.emit("SIGHUP");
    await until(() =>
      Promise.resolve(world.events.lines.filter((line) => line.includes("KEYS_FILE is wrong")).length >= 2),
    );
    expect(await sources([...added, ...sealedAnew])).toEqual(cache(4));

    await change(second, "second");
    expect(await sources(sealedAnew)).toEqual(cache(1));
    for (const id of added) {
      expect((await issue(world, 0, id)).source).toBe("ISSUED");
      expect((await issue(world, 1, id)).source).toBe("CACHE");
    }
  });
});

it("is read at SIGHUP by a gateway that runs as a process, and the process lives on", async () => {
  await using redis = await startRedis();
  await replace(first);
  await using program = new Program({
    environment: { REDIS_URL: redis.url, TOKEN_ENCRYPTION_KEYS_FILE: file },
  });
  const { origin } = await announced(program);
  await replace(`${second},${first}`);
  program.signal("SIGHUP");
  await program.logs(/"keyIds":\["second","first"\]/);
  expect((await fetch(`${origin}/health/live`)).status).toBe(200);
  const { code, stderr } = await program.end("SIGTERM");
  expect(code).toBe(0);
  expect(stderr).not.toContain(first.split(":")[1]);
});
