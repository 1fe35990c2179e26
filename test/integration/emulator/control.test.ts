/** The emulator's own routes: closed to web pages, exact in their counts, clear about mistakes. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { keyOf, send, type Wanted } from "./signed-request";

const one = { id: "11111111-0000-4000-8000-000000000001", primaryKey: base64(1), secondaryKey: base64(2) };
const two = { id: "22222222-0000-4000-8000-000000000002", primaryKey: base64(3), secondaryKey: base64(4) };

let emulator: Emulator;
let port: string;
beforeAll(async () => {
  emulator = await startEmulator({ resources: [one, two] });
  ({ port } = new URL(emulator.url));
});
afterAll(() => emulator[Symbol.asyncDispose]());
beforeEach(() => {
  emulator.counts.reset();
});

const connect = (key: string) =>
  new CommunicationIdentityClient(`endpoint=${emulator.url}/;accesskey=${key}`, {
    allowInsecureConnection: true,
  });

async function control(method: string, route: string, wanted: Wanted = {}) {
  const answer = await send(emulator.url, { method, target: `/_emulator/${route}`, ...wanted });
  return { status: answer.status, json: answer.text && (JSON.parse(answer.text) as Record<string, unknown>) };
}

const routes = [
  ["GET", "health"],
  ["GET", "jwks"],
  ["POST", "introspect"],
  ["GET", "identities"],
  ["GET", "counts"],
  ["DELETE", "counts"],
  ["GET", "faults"],
  ["POST", "faults"],
  ["DELETE", "faults"],
  ["POST", "rotate-key"],
  ["POST", "entra-token"],
  ["POST", "teams-token"],
  ["POST", "required-claims"],
  ["GET", "settings"],
  ["PATCH", "settings"],
  ["POST", "reset"],
] as const;

const mayHaveBody = (method: string) => method === "POST" || method === "PATCH";

describe.each<[string, () => Wanted]>([
  ["with the Host of a rebound name", () => ({ host: `attacker.example:${port}` })],
  ["with a Host that only begins like this machine", () => ({ host: `127.0.0.1.attacker.example:${port}` })],
  ["with the Origin of a page", () => ({ change: () => ({ origin: "https://attacker.example" }) })],
  ["with the Origin of a local page", () => ({ change: () => ({ origin: `http://127.0.0.1:${port}` }) })],
  ["with an opaque Origin", () => ({ change: () => ({ origin: "null" }) })],
  ["from another site", () => ({ change: () => ({ "sec-fetch-site": "cross-site" }) })],
])("a request %s", (_what, wanted) => {
  it.each(routes)("is refused by %s %s", async (method, route) => {
    const before = emulator.connectionString;
    expect(
      await control(method, route, { body: mayHaveBody(method) ? "{}" : "", ...wanted() }),
    ).toMatchObject({
      status: 403,
    });
    expect(emulator.connectionString).toBe(before);
  });
});

it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", undefined])(
  "refuses to POST %s, which a page may send without asking",
  async (type) => {
    for (const [method, route] of routes) {
      if (!mayHaveBody(method)) continue;
      const change = () => ({ "content-type": type });
      expect(await control(method, route, { body: "{}", change })).toMatchObject({ status: 403 });
    }
  },
);

it.each(["localhost", "127.0.0.1", "[::1]", "127.8.9.10"])("answers to the Host %s", async (host) => {
  expect(await control("GET", "health", { host: `${host}:${port}` })).toEqual({
    status: 200,
    json: { status: "ok" },
  });
});

it.each(["{", "[]", "null", "1", '"x"'])("answers 400 to the body %s", async (body) => {
  expect(await control("POST", "introspect", { body })).toMatchObject({ status: 400 });
});

it("answers 404 to a route that it has not, and 413 to a body that is too long", async () => {
  expect((await control("GET", "nothing")).status).toBe(404);
  expect((await control("DELETE", "identities")).status).toBe(404);
  expect((await control("POST", "introspect", { body: `{"token":"${"x".repeat(1_100_000)}"}` })).status).toBe(
    413,
  );
});

it("rotates either key of the resource that is named, and of no other", async () => {
  const rotate = (body: object) => control("POST", "rotate-key", { body: JSON.stringify(body) });
  const { json } = await rotate({ resourceId: two.id, key: "secondary" });
  const { id, secret } = json as { id: string; secret: string };
  expect(id).toBe("secondary-2");
  await connect(secret).createUser();
  await expect(connect(two.secondaryKey).createUser()).rejects.toMatchObject({ code: "Denied" });
  for (const key of [two.primaryKey, one.primaryKey, one.secondaryKey]) await connect(key).createUser();
  expect(await rotate({ resourceId: "none" })).toEqual({
    status: 400,
    json: { error: "The emulator has no resource none." },
  });
});

it("counts per operation, and per client request id", async () => {
  const client = connect(one.primaryKey);
  const user = await client.createUser();
  await client.createUserAndToken(["chat"]);
  await client.getToken(user, ["chat"]);
  await client.getToken(user, ["voip"]);
  await client.revokeTokens(user);
  await client.deleteUser(user);
  await expect(client.getToken(user, ["chat"])).rejects.toThrow();
  await expect(connect(base64(9)).createUser()).rejects.toThrow();
  const { json } = await control("GET", "counts");
  const counts = json as ReturnType<Emulator["counts"]["snapshot"]>;
  const done = (received: number, worked = received) => ({ received, worked, throttled: 0, faulted: 0 });
  expect(counts.operations).toEqual({
    createIdentity: done(1),
    createIdentityWithToken: done(1),
    issueAccessToken: done(3, 2),
    revokeAccessTokens: done(1),
    deleteIdentity: done(1),
  });
  expect(Object.values(counts.clientRequestIds)).toEqual(Array(8).fill(1));
  expect(counts).toEqual(emulator.counts.snapshot());
  await control("DELETE", "counts");
  expect(emulator.counts.snapshot()).toEqual({ operations: {}, clientRequestIds: {} });
});

it("keeps the identities of its resources apart", async () => {
  const [mine, theirs] = [connect(one.primaryKey), connect(two.primaryKey)];
  const user = await theirs.createUser();
  expect(user.communicationUserId).toMatch(new RegExp(`^8:acs:${two.id}_`));
  const notOwned = { statusCode: 401, code: "IdentityNotOwned" };
  await expect(mine.getToken(user, ["chat"])).rejects.toMatchObject(notOwned);
  await expect(mine.revokeTokens(user)).rejects.toMatchObject(notOwned);
  await expect(mine.deleteUser(user)).rejects.toMatchObject(notOwned);
  const { token } = await theirs.getToken(user, ["chat"]);
  expect(emulator.introspect(token)).toMatchObject({ active: true });
  const listed = (await control("GET", "identities")).json as { identities: unknown[] };
  expect(listed.identities).toContainEqual({
    id: user.communicationUserId,
    resourceId: two.id,
    deleted: false,
  });
});

it("makes Entra and Teams tokens for those who cannot call it in process", async () => {
  await using secure = await startEmulator({ tls: true });
  const make = async (route: string, body: object) =>
    JSON.parse(
      (await send(secure.url, { target: `/_emulator/${route}`, body: JSON.stringify(body) })).text,
    ) as {
      access_token: string;
    };
  const { access_token: bearer } = await make("entra-token", {});
  expect(() => {
    secure.entra.checkBearer(bearer);
  }).not.toThrow();
  const user = { clientId: one.id, userObjectId: two.id };
  const { access_token: teams } = await make("teams-token", user);
  expect(secure.entra.readTeamsToken(teams)).toMatchObject(user);
  expect(() => {
    secure.entra.checkBearer(teams);
  }).toThrow("Denied by the resource provider.");
});

describe("says what is wrong with a request, and does nothing:", () => {
  it.each<[string, string, object, string]>([
    ["POST", "rotate-key", { key: "secondry" }, "key is primary or secondary."],
    ["POST", "rotate-key", { key: null }, "key is primary or secondary."],
    ["POST", "rotate-key", { resourceId: 5 }, "resourceId is a string."],
    ["POST", "introspect", {}, "token is missing."],
    ["POST", "introspect", { token: 5 }, "token is a string."],
    ["POST", "entra-token", { expiresInSeconds: "60" }, "expiresInSeconds is a number."],
    ["POST", "entra-token", { audience: 1 }, "audience is a string."],
    ["POST", "teams-token", { clientId: one.id }, "userObjectId is missing."],
    ["POST", "teams-token", { userObjectId: one.id }, "clientId is missing."],
    ["POST", "required-claims", { claims: {} }, "claims is a string."],
    ["PATCH", "settings", { limits: "off" }, "limits is true or false."],
    ["PATCH", "settings", { limits: false, limitScale: -1 }, "limitScale is a number from 0 to 1000000."],
    ["PATCH", "settings", { goneStatus: 200 }, "goneStatus is a status from 400 to 599."],
    [
      "PATCH",
      "settings",
      { repeatedDeleteStatus: 200 },
      "repeatedDeleteStatus is 204, or a status from 400 to 599.",
    ],
    ["PATCH", "settings", { latencyMs: "slow" }, 'latencyMs is a number from 0 to 600000, or "recorded".'],
    ["PATCH", "settings", { goneCode: "" }, "goneCode is a text."],
  ])("%s %s %j", async (method, route, body, error) => {
    const before = [
      emulator.connectionString,
      emulator.secondaryConnectionString,
      emulator.settings.values(),
    ];
    expect(await control(method, route, { body: JSON.stringify(body) })).toEqual({
      status: 400,
      json: { error },
    });
    const after = [emulator.connectionString, emulator.secondaryConnectionString, emulator.settings.values()];
    expect(after).toEqual(before);
    expect(emulator.entra.requiredClaims).toBeUndefined();
  });

  it.each(["port", "resources", "clock", "stateFile", "toString"])("no change of %s", async (setting) => {
    const { status, json } = await control("PATCH", "settings", { body: JSON.stringify({ [setting]: 1 }) });
    expect(status).toBe(400);
    expect((json as { error: string }).error).toMatch(
      new RegExp(`^${setting} cannot be changed while the emulator runs, only limits, `),
    );
  });
});

describe("settings", () => {
  it("are shown without keys, and changed for requests from then on", async () => {
    await using changed = await startEmulator();
    const route = async (method: string, body?: object) =>
      JSON.parse(
        (
          await send(changed.url, {
            method,
            target: "/_emulator/settings",
            ...(body ? { body: JSON.stringify(body) } : {}),
          })
        ).text,
      ) as object;
    const client = new CommunicationIdentityClient(changed.connectionString, {
      allowInsecureConnection: true,
      retryOptions: { maxRetries: 0 },
    });
    const before = await route("GET");
    expect(before).toEqual(changed.settings.values());
    expect(before).toMatchObject({ limits: true, goneStatus: 404, clockOffsetMs: 0, latencyMs: 0 });
    expect(JSON.stringify(before)).not.toContain(keyOf(changed.connectionString));

    const user = await client.createUser();
    await client.deleteUser(user);
    await expect(client.getToken(user, ["chat"])).rejects.toMatchObject({ statusCode: 404 });
    expect(await route("PATCH", { goneStatus: 410, goneCode: "Gone" })).toEqual({
      ...before,
      goneStatus: 410,
      goneCode: "Gone",
    });
    await expect(client.getToken(user, ["chat"])).rejects.toMatchObject({ statusCode: 410, code: "Gone" });

    await route("PATCH", { limitScale: 0 });
    await expect(client.createUser()).rejects.toMatchObject({ statusCode: 429 });
    await route("PATCH", { limits: false });
    await client.createUser();

    await route("PATCH", { clockOffsetMs: 20 * 60_000 });
    await expect(client.createUser()).rejects.toMatchObject({ code: "Denied" });
    await route("PATCH", { clockSkewMs: 30 * 60_000 });
    await client.createUser();
  });
});

it("challenges for the claims that it is told to require, until it is told otherwise", async () => {
  const claims = '{"access_token":{"nbf":{"essential":true}}}';
  const bearer = await emulator.entra.token();
  const check = () => {
    emulator.entra.checkBearer(bearer);
  };
  expect((await control("POST", "required-claims", { body: JSON.stringify({ claims }) })).status).toBe(200);
  expect(check).toThrow(
    expect.objectContaining({
      status: 401,
      headers: { "www-authenticate": expect.stringContaining(Buffer.from(claims).toString("base64")) },
    }),
  );
  expect((await control("POST", "required-claims", { body: "{}" })).status).toBe(200);
  expect(check).not.toThrow();
});

it("forgets everything when it is reset, but keys and settings", async () => {
  await using forgetful = await startEmulator({ limitScale: 0.001, retryAfter: false });
  const clientTo = () =>
    new CommunicationIdentityClient(forgetful.connectionString, { allowInsecureConnection: true });
  forgetful.identities.rotateKey(forgetful.identities.resource(), "primary");
  const client = clientTo();
  const teams = { clientId: one.id, userObjectId: two.id };
  const { user, token } = await client.createUserAndToken(["chat"]);
  const exchanged = await client.getTokenForTeamsUser({
    ...teams,
    teamsUserAadToken: await forgetful.entra.teamsToken(teams),
  });
  await expect(client.createUserAndToken(["chat"])).rejects.toMatchObject({ statusCode: 429 });
  forgetful.faults.add({ kind: "hang" });
  forgetful.entra.requiredClaims = "{}";
  const { connectionString } = forgetful;
  for (const each of [token, exchanged.token]) expect(forgetful.introspect(each).active).toBe(true);

  const answer = await send(forgetful.url, { target: "/_emulator/reset", body: "{}" });
  expect(answer.status).toBe(200);

  for (const each of [token, exchanged.token])
    expect(forgetful.introspect(each)).toEqual({ active: false, reason: "unknown" });
  expect(forgetful.identities.list()).toEqual([]);
  expect(forgetful.counts.snapshot()).toEqual({ operations: {}, clientRequestIds: {} });
  expect(forgetful.faults.list()).toEqual([]);
  expect(forgetful.entra.requiredClaims).toBeUndefined();
  expect(forgetful.connectionString).toBe(connectionString);
  expect(forgetful.settings.values().retryAfter).toBe(false);
  await expect(client.getToken(user, ["chat"])).rejects.toMatchObject({ statusCode: 404 });
  const next = await client.createUserAndToken(["chat"]);
  expect(forgetful.introspect(next.token).active).toBe(true);
});

it("needs no key, and takes none of ACS's paths", async () => {
  const key = keyOf(emulator.connectionString);
  expect((await send(emulator.url, { key, target: "/emulator/health" })).status).toBe(404);
});

function base64(byte: number): string {
  return Buffer.alloc(64, byte).toString("base64");
}
