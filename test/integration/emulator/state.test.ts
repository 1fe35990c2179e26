/** What a state file promises: nothing is forgotten over a restart or a crash, and a damaged file is said to be one. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { StateFileError } from "../../../emulator/state-file";
import { keyOf } from "./signed-request";
import { until } from "../../support/until";

let folder: string;
let stateFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acs-identity-emulator-test-"));
  stateFile = join(folder, "state.json");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const connect = ({ connectionString }: Emulator) =>
  new CommunicationIdentityClient(connectionString, { allowInsecureConnection: true });

/** Lets an emulator work on the state file, and end. */
async function session<T>(
  work: (client: CommunicationIdentityClient, emulator: Emulator) => Promise<T>,
): Promise<T> {
  await using emulator = await startEmulator({ stateFile });
  return await work(connect(emulator), emulator);
}

describe("after a restart", () => {
  it("knows the identities, the deleted ones, and all tokens with what became of them", async () => {
    const before = await session(async (client) => {
      const [alive, deleted] = [await client.createUser(), await client.createUser()];
      const revoked = await client.getToken(alive, ["chat"]);
      await client.revokeTokens(alive);
      const active = await client.getToken(alive, ["voip"], { tokenExpiresInMinutes: 60 });
      const gone = await client.getToken(deleted, ["chat"]);
      await client.deleteUser(deleted);
      return { alive, deleted, revoked: revoked.token, active: active.token, gone: gone.token };
    });
    await session(async (client, emulator) => {
      expect(emulator.introspect(before.revoked)).toMatchObject({ active: false, reason: "revoked" });
      expect(emulator.introspect(before.gone)).toMatchObject({ active: false, reason: "deleted" });
      expect(emulator.introspect(before.active)).toMatchObject({ active: true, scopes: ["voip"] });
      await expect(client.getToken(before.deleted, ["chat"])).rejects.toMatchObject({ statusCode: 404 });
      const next = await client.getToken(before.alive, ["chat"]);
      await client.revokeTokens(before.alive);
      for (const token of [next.token, before.active]) {
        expect(emulator.introspect(token)).toMatchObject({ active: false, reason: "revoked" });
      }
    });
  });

  it("has the rotated keys, and knows since when the tokens of the old one are dead", async () => {
    const before = await session(async (client, emulator) => {
      const { token } = await client.createUserAndToken(["chat"]);
      emulator.identities.rotateKey(emulator.identities.resource(), "primary");
      return { token, state: emulator.introspect(token), connectionString: emulator.connectionString };
    });
    await session(async (client, emulator) => {
      expect(keyOf(emulator.connectionString)).toBe(keyOf(before.connectionString));
      expect(before.state).toMatchObject({ active: false, reason: "keyRotated" });
      expect(emulator.introspect(before.token)).toEqual(before.state);
      await client.createUser();
    });
  });

  it("never gives an id twice", async () => {
    const create = (client: CommunicationIdentityClient) =>
      Promise.all(Array.from({ length: 20 }, async () => (await client.createUser()).communicationUserId));
    const ids = [...(await session(create)), ...(await session(create))];
    expect(new Set(ids).size).toBe(40);
    await session((_, emulator) => {
      expect(emulator.identities.list().map(({ id }) => id)).toEqual(ids);
      return Promise.resolve();
    });
  });
});

describe("after a crash", () => {
  it("lets a revocation end also the tokens that were issued after the last write", async () => {
    const emulator = await startEmulator({ stateFile });
    const client = connect(emulator);
    const user = await client.createUser();
    await until(() => readFileSync(stateFile, "utf8").includes(user.communicationUserId));
    const contents = readFileSync(stateFile);
    const tokens: string[] = [];
    for (let round = 0; round < 10; round++) tokens.push((await client.getToken(user, ["chat"])).token);
    await emulator[Symbol.asyncDispose]();
    // As if it had not come to the last write.
    writeFileSync(stateFile, contents);
    await session(async (again, restarted) => {
      expect(tokens.map((token) => restarted.introspect(token).active)).toEqual(Array(10).fill(true));
      await again.revokeTokens(user);
      expect(tokens.map((token) => restarted.introspect(token).active)).toEqual(Array(10).fill(false));
    });
  });

  it("has a whole file to read at any time, and nothing else is left beside it", async () => {
    await session(async (client) => {
      for (let round = 0; round < 300; round++) {
        await client.createUser();
        expect(() => JSON.parse(readFileSync(stateFile, "utf8")) as unknown).not.toThrow();
      }
    });
    expect(readdirSync(folder)).toEqual(["state.json"]);
  });
});

it("is written for its owner's eyes only: it holds keys", async () => {
  await session((client) => client.createUser());
  expect(statSync(stateFile).mode & 0o077).toBe(0);
});

it("holds no token", async () => {
  const { token } = await session((client) => client.createUserAndToken(["chat"]));
  expect(readFileSync(stateFile, "utf8")).not.toContain(token.split(".")[1]);
});

it.each([
  ["empty", ""],
  ["cut in the middle", '{"signingKey":"-----BEGIN'],
  ["of another program", '{"hello":"world"}'],
  ["an array", "[]"],
  ["null", "null"],
])("refuses to start on a file that is %s, names it and leaves it as it is", async (_what, contents) => {
  writeFileSync(stateFile, contents);
  const starting = startEmulator({ stateFile });
  await expect(starting).rejects.toThrow(StateFileError);
  await expect(starting).rejects.toThrow(`${stateFile} is not a state file`);
  expect(readFileSync(stateFile, "utf8")).toBe(contents);
});

it("refuses to start on a file whose state is damaged though its key is not", async () => {
  await session((client) => client.createUser());
  const { signingKey } = JSON.parse(readFileSync(stateFile, "utf8")) as { signingKey: string };
  writeFileSync(stateFile, JSON.stringify({ signingKey, state: { sequence: 1, resources: "none" } }));
  await expect(startEmulator({ stateFile })).rejects.toThrow(StateFileError);
});

it("refuses to start where it cannot write", async () => {
  await expect(startEmulator({ stateFile: join(folder, "missing", "state.json") })).rejects.toThrow(
    /^The state file cannot be written: ENOENT/,
  );
  await expect(startEmulator({ stateFile: folder })).rejects.toThrow(
    /^The state file cannot be read: EISDIR/,
  );
});

describe("when the file can no longer be written", () => {
  it("tells so, goes on, and writes everything once it can", async () => {
    const told = jest.spyOn(process.stderr, "write").mockImplementation(() => true);
    try {
      await session(async (client) => {
        rmSync(folder, { recursive: true });
        const first = await client.createUser();
        await until(() => told.mock.calls.length > 0);
        expect(told.mock.calls[0]?.[0]).toMatch(
          /^acs-identity-emulator: The state file cannot be written: ENOENT[^\n]*\n$/,
        );
        mkdirSync(folder);
        const second = await client.createUser();
        await until(() => existsSync(stateFile));
        const contents = readFileSync(stateFile, "utf8");
        for (const user of [first, second]) expect(contents).toContain(user.communicationUserId);
      });
    } finally {
      told.mockRestore();
    }
  });

  it("says so at the end, when its ports are free already", async () => {
    const emulator = await startEmulator({ stateFile });
    rmSync(folder, { recursive: true });
    await expect(emulator.close()).rejects.toThrow(StateFileError);
    await using next = await startEmulator({ port: emulator.port });
    expect(next.port).toBe(emulator.port);
  });
});

it("remembers a reset, and what came after it", async () => {
  const teams = {
    clientId: "11111111-2222-4333-8444-555555555555",
    userObjectId: "99999999-8888-4777-8666-555555555555",
  };
  const exchange = async (client: CommunicationIdentityClient, emulator: Emulator) =>
    (
      await client.getTokenForTeamsUser({
        ...teams,
        teamsUserAadToken: await emulator.entra.teamsToken(teams),
      })
    ).token;
  const [before, after] = await session(async (client, emulator) => {
    const forgotten = await exchange(client, emulator);
    emulator.reset();
    return [forgotten, await exchange(client, emulator)];
  });
  await session((_, emulator) => {
    expect(emulator.introspect(before)).toEqual({ active: false, reason: "unknown" });
    expect(emulator.introspect(after)).toMatchObject({ active: true });
    return Promise.resolve();
  });
});

it("is read as it was written before there were resets", async () => {
  const token = await session(async (client) => (await client.createUserAndToken(["chat"])).token);
  const contents = JSON.parse(readFileSync(stateFile, "utf8")) as { state: { forgotten?: number } };
  delete contents.state.forgotten;
  writeFileSync(stateFile, JSON.stringify(contents));
  await session((_, emulator) => {
    expect(emulator.introspect(token)).toMatchObject({ active: true });
    return Promise.resolve();
  });
});

it("leaves the file alone when its port is taken by another emulator", async () => {
  await session(async (client, { port }) => {
    const user = await client.createUser();
    await until(() => readFileSync(stateFile, "utf8").includes(user.communicationUserId));
    const contents = readFileSync(stateFile, "utf8");
    await expect(startEmulator({ stateFile, port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(readFileSync(stateFile, "utf8")).toBe(contents);
  });
});
