/** Answers as they were recorded of Azure, down to the headers; and what of the api-versions each setting does. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { startEmulator, type Emulator, type EmulatorOptions } from "../../../emulator/emulator";
import { keyOf, send, type Raw, type Wanted } from "./signed-request";

let emulator: Emulator | undefined;
afterEach(() => emulator?.[Symbol.asyncDispose]());

async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  return (emulator = await startEmulator(options));
}

function call(wanted: Wanted): Promise<Raw> {
  return send(emulator!.url, { key: keyOf(emulator!.connectionString), ...wanted });
}

const create = (version = "2023-10-01", body?: object) =>
  call({ target: `/identities?api-version=${version}`, ...(body ? { body: JSON.stringify(body) } : {}) });

async function newId(): Promise<string> {
  return (JSON.parse((await create()).text) as { identity: { id: string } }).identity.id;
}

const issue = (id: string, body: object, version = "2023-10-01") =>
  call({
    target: `/identities/${encodeURIComponent(id)}/:issueAccessToken?api-version=${version}`,
    body: JSON.stringify(body),
  });

const claimsOf = ({ text }: Raw) => {
  const { token } = JSON.parse(text) as { token: string };
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, number>;
};

describe("api-versions", () => {
  it.each(["2021-03-07", "2022-06-01", "2022-10-01"])(
    "%s does not know the scopes that came with 2023-10-01",
    async (version) => {
      await start();
      const id = await newId();
      for (const scope of ["chat.join", "chat.join.limited", "voip.join"]) {
        expect(await issue(id, { scopes: [scope] }, version)).toMatchObject({
          status: 400,
          error: { code: "ValidationError", target: "scopes" },
        });
      }
      expect((await issue(id, { scopes: ["chat", "voip"] }, version)).status).toBe(200);
    },
  );

  it("ignore a lifetime before 2022-10-01", async () => {
    await start();
    const id = await newId();
    for (const [version, minutes] of [
      ["2021-03-07", 1440],
      ["2022-06-01", 1440],
      ["2022-10-01", 60],
    ] as const) {
      const claims = claimsOf(await issue(id, { scopes: ["chat"], expiresInMinutes: 60 }, version));
      expect(claims.exp! - claims.iat!).toBe(minutes * 60);
    }
    expect((await issue(id, { scopes: ["chat"], expiresInMinutes: 5 }, "2022-06-01")).status).toBe(200);
  });

  it("make no difference when they are not taken strictly", async () => {
    await start({ strictVersions: false });
    const id = await newId();
    const claims = claimsOf(await issue(id, { scopes: ["voip.join"], expiresInMinutes: 60 }, "2021-03-07"));
    expect(claims.exp! - claims.iat!).toBe(3600);
  });

  it.each(["1999-12-31", "2023-10-02", "2024-01-01-preview"])(
    "refuses %s, naming the URI",
    async (version) => {
      const { url } = await start();
      expect(await create(version)).toMatchObject({
        status: 400,
        error: {
          code: "UnsupportedApiVersion",
          message: `The HTTP resource that matches the request URI '${url}/identities' does not support the API version '${version}'.`,
        },
      });
    },
  );

  it("refuses a request that names none", async () => {
    await start();
    for (const target of ["/identities", "/identities?api-version="]) {
      expect(await call({ target })).toMatchObject({ status: 400, error: { code: "ApiVersionUnspecified" } });
    }
  });

  it("had no exchange of Teams tokens before 2022-06-01", async () => {
    await start();
    const exchange = (version: string) =>
      call({ target: `/teamsUser/:exchangeAccessToken?api-version=${version}`, body: '{"token":"x"}' });
    expect(await exchange("2021-03-07")).toMatchObject({
      status: 400,
      error: { code: "UnsupportedApiVersion" },
    });
    expect(await exchange("2022-06-01")).toMatchObject({
      status: 401,
      error: { code: "InvalidAccessToken" },
    });
  });
});

describe("headers", () => {
  it("are written as Azure writes them, with the length of a success", async () => {
    await start();
    const { rawHeaders, headers, text } = await create();
    const names = rawHeaders.filter((_, index) => index % 2 === 0);
    for (const name of [
      "Content-Type",
      "Content-Length",
      "Date",
      "MS-CV",
      "Request-Context",
      "X-Azure-Ref",
      "X-Cache",
      "X-Processing-Time",
      "api-supported-versions",
    ]) {
      expect(names.filter((each) => each === name)).toHaveLength(1);
    }
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(headers["content-length"]).toBe(String(Buffer.byteLength(text)));
    expect(headers["x-processing-time"]).toMatch(/^\d+ms$/);
    expect(headers["request-context"]).toBe("appId=");
    expect(headers["x-cache"]).toBe("CONFIG_NOCACHE");
    expect(headers["ms-cv"]).toMatch(/^[A-Za-z0-9+/]{22}\.0$/);
  });

  it("of an error say no length: it comes in chunks", async () => {
    await start();
    const { headers } = await issue(await newId(), { scopes: [] });
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["transfer-encoding"]).toBe("chunked");
    expect(headers["content-length"]).toBeUndefined();
    expect(headers["api-supported-versions"]).toMatch(/2023-10-01$/);
  });

  it.each([
    ["scopes that cannot be bound", async () => issue(await newId(), { scopes: null })],
    ["a body that is no JSON", () => call({ body: "{" })],
  ])("name no api-versions when %s are refused", async (_what, request) => {
    await start();
    const { status, headers, error } = await request();
    expect({ status, code: error.code }).toEqual({ status: 400, code: "ValidationError" });
    expect(headers["api-supported-versions"]).toBeUndefined();
  });

  it("echo the client's request id with errors as well", async () => {
    await start();
    const id = "5a5a5a5a-0000-4000-8000-5a5a5a5a5a5a";
    const change = (signed: Record<string, string>) => ({ ...signed, "x-ms-client-request-id": id });
    for (const wanted of [{ change }, { change, target: "/identities" }]) {
      expect((await call(wanted)).headers["x-ms-client-request-id"]).toBe(id);
    }
    expect((await create()).headers["x-ms-client-request-id"]).toBeUndefined();
  });

  it("of 204 describe no body", async () => {
    await start();
    const target = `/identities/${encodeURIComponent(await newId())}?api-version=2023-10-01`;
    const { status, headers, text } = await call({ method: "DELETE", target });
    expect({ status, text }).toEqual({ status: 204, text: "" });
    for (const name of ["content-type", "content-length", "transfer-encoding"])
      expect(headers[name]).toBeUndefined();
  });
});

describe("paths", () => {
  it("may begin with two slashes, as some SDKs make them of an endpoint that ends with one", async () => {
    await start();
    expect((await call({ target: "//identities?api-version=2023-10-01" })).status).toBe(201);
  });

  it("may end with a slash", async () => {
    await start();
    const target = `/identities/${encodeURIComponent(await newId())}/?api-version=2023-10-01`;
    expect((await call({ method: "DELETE", target })).status).toBe(204);
  });

  it.each([
    ["GET", "/identities"],
    ["POST", "/identities/x"],
    ["GET", "/identities/x/:issueAccessToken"],
    ["POST", "/identities/x/:issueAccessToken/y"],
    ["POST", "/identities/x/:unknown"],
    ["POST", "/"],
    ["PUT", "/identities"],
  ])("%s %s is not there", async (method, path) => {
    await start();
    expect((await call({ method, target: `${path}?api-version=2023-10-01` })).status).toBe(404);
  });

  it("answer 413 to a body that is too long, and go on", async () => {
    await start();
    expect((await call({ body: "x".repeat(2_000_000) })).status).toBe(413);
    expect((await create()).status).toBe(201);
  });
});

describe("what was never recorded", () => {
  const remove = async (id: string) =>
    call({ method: "DELETE", target: `/identities/${encodeURIComponent(id)}?api-version=2023-10-01` });

  it("is 404 IdentityNotFound for a deleted identity, or what is set", async () => {
    for (const [options, status, code] of [
      [{}, 404, "IdentityNotFound"],
      [{ goneStatus: 400, goneCode: "Gone" }, 400, "Gone"],
    ] as const) {
      await using each = await start(options);
      const id = await newId();
      await remove(id);
      expect(await issue(id, { scopes: ["chat"] })).toMatchObject({
        status,
        error: { code, message: "Provided identity doesn't exist." },
      });
      expect(each.worked("issueAccessToken")).toBe(0);
    }
  });

  it("is 204 for deleting again, or what a deleted identity answers", async () => {
    for (const [options, status] of [
      [{}, 204],
      [{ repeatedDeleteStatus: 404 }, 404],
    ] as const) {
      await using each = await start(options);
      const id = await newId();
      expect((await remove(id)).status).toBe(204);
      expect((await remove(id)).status).toBe(status);
      expect(each.identities.list()).toMatchObject([{ id, deleted: true }]);
    }
  });

  it("refuses unknown scopes, or takes them", async () => {
    for (const [refuseUnknownScopes, status] of [
      [true, 400],
      [false, 200],
    ] as const) {
      await using each = await start({ refuseUnknownScopes });
      expect((await issue(await newId(), { scopes: ["pstn"] })).status).toBe(status);
      expect(each.worked("issueAccessToken")).toBe(status === 200 ? 1 : 0);
    }
  });

  it("makes no token of no scopes at a create, or refuses them", async () => {
    for (const [refuseEmptyCreateScopes, status] of [
      [false, 201],
      [true, 400],
    ] as const) {
      await using each = await start({ refuseEmptyCreateScopes });
      const answer = await create("2023-10-01", { createTokenWithScopes: [] });
      expect(answer.status).toBe(status);
      expect(answer.text).not.toContain("accessToken");
      expect(each.identities.list()).toHaveLength(status === 201 ? 1 : 0);
    }
  });
});

it("makes no identity when the token asked for with it is refused", async () => {
  const { identities } = await start();
  for (const body of [
    { createTokenWithScopes: ["chat"], expiresInMinutes: 59 },
    { createTokenWithScopes: ["chat", "pstn"] },
    { createTokenWithScopes: "chat" },
    { expiresInMinutes: 1441 },
  ]) {
    expect((await create("2023-10-01", body)).status).toBe(400);
  }
  expect(identities.list()).toEqual([]);
});

it("tells and keeps the time of its own clock when that is off", async () => {
  await start({ clockOffsetMs: -10 * 60_000, clockSkewMs: 5 * 60_000 });
  const refused = await create();
  expect(refused).toMatchObject({ status: 401, error: { code: "Denied" } });
  const theirs = new Date(String(refused.headers.date));
  expect(Math.abs(Date.now() - 600_000 - theirs.getTime())).toBeLessThan(3_000);
  expect((await call({ date: theirs })).status).toBe(201);
});

it("takes as long as Azure was seen to take when told to", async () => {
  await start({ latencyMs: "recorded" });
  const startedAt = performance.now();
  const { headers } = await create();
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(57);
  expect(Number.parseInt(String(headers["x-processing-time"]), 10)).toBeGreaterThanOrEqual(57);
});
