/** In production nobody learns the schema by asking, and no browser can be made to ask for its user. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { hashApiKey } from "../../../../src/services/access/api-key";
import { GraphqlClient } from "../../../support/graphql-client";
import { developmentKey, startWorld, type RunningGateway, type World } from "../../../support/world";

const key = "a-key-of-a-production-service";
const production = {
  NODE_ENV: "production",
  API_KEYS: `backend:${hashApiKey(key).toString("hex")} rights=all`,
  DEVELOPMENT_API_KEY: undefined,
};

let world: World;
let gateway: RunningGateway;
let stranger: GraphqlClient;
let service: GraphqlClient;
beforeAll(async () => {
  const [primaryKey, secondaryKey] = [1, 2].map((byte) => Buffer.alloc(64, byte).toString("base64"));
  const resource = { id: randomUUID(), primaryKey: primaryKey!, secondaryKey: secondaryKey! };
  // Production refuses the keys that the emulator publishes, and http.
  world = await startWorld({ emulator: { resources: [resource], tls: true } });
  const ACS_CONNECTION_STRING = world.emulator.https?.connectionString;
  gateway = await world.addGateway({ ...production, ACS_CONNECTION_STRING });
  stranger = new GraphqlClient(gateway.url);
  service = new GraphqlClient(gateway.url, { "x-api-key": key });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

describe("in production", () => {
  it.each([
    ["the schema", "{ __schema { types { name } } }"],
    ["a type", '{ __type(name: "Query") { fields { name } } }'],
    ["the schema in a fragment", "{ ...f } fragment f on Query { __schema { types { name } } }"],
  ])("introspection of %s is refused to everybody", async (_case, query) => {
    for (const client of [stranger, service]) {
      const { status, errors, data } = await client.send(query);
      expect(status).toBe(400);
      expect(data).toBeUndefined();
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["GRAPHQL_VALIDATION_FAILED"]);
    }
  });

  it("the schema's text is for services only", async () => {
    const sdl = "{ _service { sdl } }";
    const { data, errors, status } = await stranger.send(sdl);
    expect({ data, status }).toEqual({ data: null, status: 401 });
    expect(errors).toMatchObject([{ extensions: { code: "UNAUTHENTICATED" } }]);
    expect((await service.send(sdl)).data).toMatchObject({
      _service: { sdl: expect.stringContaining("issueToken") },
    });
    const wrong = new GraphqlClient(gateway.url, { "x-api-key": "a-key-that-nobody-has-given-out" });
    expect(await wrong.error(sdl)).toMatchObject({ status: 401, extensions: { code: "UNAUTHENTICATED" } });
  });

  it("development gives it to everybody, as tools expect", async () => {
    const anybody = new GraphqlClient(world.client.url);
    expect((await anybody.send("{ _service { sdl } __schema { types { name } } }")).errors).toBeUndefined();
  });

  it.each([
    ["a field", "{ viewe { name } }"],
    ["a field of a type", "{ viewer { nam } }"],
    ["an argument", "mutation { issueToken(inpu: {}) { accessToken { token } } }"],
    [
      "an input field",
      'mutation { issueToken(input: { identityI: "x", scopes: [VOIP] }) { accessToken { token } } }',
    ],
    ["an enum value", "mutation { createIdentity(input: { scopes: [VOI] }) { identity { id } } }"],
    ["a type", "fragment f on Identit { id } { ...f }"],
    ["a directive", "{ viewer @skp(if: true) { name } }"],
  ])("a misspelt name of %s is not corrected", async (_case, query) => {
    const { errors, status } = await service.send(query);
    expect(status).toBe(400);
    expect(errors?.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toMatch(/did you mean|suggestion/i);
  });

  it.each([
    ["an enum value", { scopes: ["VOI"] }],
    ["an input field", { scopes: ["VOIP"], expiresInMinute: 60 }],
  ])("a misspelt name of %s among the variables is not corrected", async (_case, input) => {
    const query =
      "mutation ($input: CreateIdentityInput!) { createIdentity(input: $input) { identity { id } } }";
    const { errors } = await service.send(query, { input });
    expect(errors).toMatchObject([{ extensions: { code: "BAD_USER_INPUT" } }]);
    expect(JSON.stringify(errors)).not.toMatch(/did you mean/i);
  });

  it("the development key opens nothing", async () => {
    const client = new GraphqlClient(gateway.url, { "x-api-key": developmentKey });
    expect(await client.error("{ viewer { name } }")).toMatchObject({ status: 401 });
  });

  it.each(["production\r", " Production", "staging", "prod"])("is NODE_ENV=%j, too", async (NODE_ENV) => {
    const ACS_CONNECTION_STRING = world.emulator.https?.connectionString;
    const { url, origin } = await world.addGateway({ ...production, NODE_ENV, ACS_CONNECTION_STRING });
    const client = new GraphqlClient(url, { "x-api-key": key });
    expect((await client.error("{ __schema { types { name } } }")).extensions.code).toBe(
      "GRAPHQL_VALIDATION_FAILED",
    );
    const misspelt = await client.send("{ viewe { name } }");
    expect(JSON.stringify(misspelt.errors)).not.toMatch(/did you mean|stacktrace/i);
    expect(await new GraphqlClient(url).error("{ _service { sdl } }")).toMatchObject({ status: 401 });
    for (const path of ["/graphql", "/explorer", "/explorer/settings.json"]) {
      const response = await fetch(origin + path, { headers: { accept: "text/html" } });
      expect([path, response.ok]).toEqual([path, false]);
    }
  });

  it("no tool's page is shown", async () => {
    for (const path of ["/graphql", "/explorer", "/explorer/"]) {
      const response = await fetch(gateway.origin + path, { headers: { accept: "text/html" } });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.headers.get("content-type")).not.toMatch(/html/);
    }
  });
});

describe("a page of another site", () => {
  const mutation = "mutation { createIdentity { identity { id } } }";
  const send = (init: RequestInit, search = "") =>
    fetch(world.client.url + search, {
      ...init,
      headers: { "x-api-key": developmentKey, ...(init.headers as object) },
    });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])(
    "cannot post a mutation as %s, which browsers send without asking",
    async (type) => {
      const before = world.emulator.identities.list().length;
      const body = type.includes("form-url")
        ? new URLSearchParams({ query: mutation }).toString()
        : JSON.stringify({ query: mutation });
      const response = await send({
        method: "POST",
        body: Buffer.from(body),
        headers: type ? { "content-type": type } : {},
      });
      expect(response.status).toBe(415);
      expect(world.emulator.identities.list()).toHaveLength(before);
    },
  );

  it("cannot get a mutation, nor a query without a header that browsers ask about", async () => {
    const before = world.emulator.identities.list().length;
    const get = (query: string) =>
      send(
        { headers: { "user-agent": "Mozilla/5.0", cookie: "a=b" } },
        `?query=${encodeURIComponent(query)}`,
      );
    expect((await get("{ __typename }")).status).toBe(400);
    expect((await get(mutation)).status).toBe(400);
    const asked = await send(
      { headers: { "apollo-require-preflight": "1" } },
      `?query=${encodeURIComponent(mutation)}`,
    );
    expect(asked.status).toBe(405);
    expect(world.emulator.identities.list()).toHaveLength(before);
  });

  it("is not told by the preflight that it may", async () => {
    const response = await send({
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("one request", () => {
  const post = (body: string) =>
    fetch(world.client.url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": developmentKey },
      body,
    });

  it("is one operation: batches are refused, whatever their size", async () => {
    const one = { query: "mutation { createIdentity { identity { id } } }" };
    const before = world.emulator.identities.list().length;
    for (const batch of [[], [one], Array(1_000).fill(one)]) {
      const response = await post(JSON.stringify(batch));
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: "BAD_REQUEST" } }] });
    }
    expect(world.emulator.identities.list()).toHaveLength(before);
  });

  it("has 100 kB", async () => {
    const response = await post(
      JSON.stringify({ query: "{ __typename }", variables: { a: "x".repeat(103_000) } }),
    );
    expect(response.status).toBe(413);
  });

  it("that nests its variables without end costs one answer, not the process", async () => {
    const deep = `{"query":"{ __typename }","variables":{"a":${"[".repeat(40_000)}${"]".repeat(40_000)}}}`;
    expect((await post(deep)).status).toBe(200);
    const used = `{"query":"query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }","variables":{"of":[${"[".repeat(40_000)}${"]".repeat(40_000)}]}}`;
    const answer = await post(used);
    expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: "BAD_USER_INPUT" } }] });
    expect(await service.send("{ viewer { name } }")).toMatchObject({
      data: { viewer: { name: "backend" } },
    });
  });
});
