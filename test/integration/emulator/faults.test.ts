/** Each fault does to the official SDK what it says, meets the requests that it names, and can be repeated. */
import { Agent } from "node:https";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator, type Emulator, type Fault } from "../../../emulator/emulator";
import { until } from "../../support/until";

let emulator: Emulator;
beforeEach(async () => {
  emulator = await startEmulator();
});
afterEach(() => emulator[Symbol.asyncDispose]());

type Method = "createUser" | "createUserAndToken" | "getToken" | "revokeTokens" | "deleteUser";

function connect(maxRetries = 0, to = emulator): CommunicationIdentityClient {
  return new CommunicationIdentityClient(to.connectionString, {
    allowInsecureConnection: true,
    retryOptions: { maxRetries, retryDelayInMs: 1 },
  });
}

/** Calls a method with a new identity; the fault comes after the identity. */
async function call(method: Method, fault: Fault): Promise<unknown> {
  const client = connect();
  const user = await client.createUser();
  emulator.counts.reset();
  emulator.faults.add(fault);
  switch (method) {
    case "createUser":
      return client.createUser();
    case "createUserAndToken":
      return client.createUserAndToken(["chat"]);
    case "getToken":
      return client.getToken(user, ["chat"]);
    case "revokeTokens":
      return client.revokeTokens(user);
    case "deleteUser":
      return client.deleteUser(user);
  }
}

const operationOf: Record<Method, string> = {
  createUser: "createIdentity",
  createUserAndToken: "createIdentityWithToken",
  getToken: "issueAccessToken",
  revokeTokens: "revokeAccessTokens",
  deleteUser: "deleteIdentity",
};
const reset = { code: "ECONNRESET" };
const cutInBody = { code: "PARSE_ERROR" };

describe("what the SDK makes of", () => {
  it.each<[Fault["kind"], Fault, Method, object, number]>([
    ["status", { kind: "status", status: 503 }, "getToken", { statusCode: 503, code: "Injected" }, 0],
    ["status", { kind: "status", status: 500, body: "" }, "createUser", { statusCode: 500 }, 0],
    [
      "status with a body and headers",
      { kind: "status", status: 429, body: '{"error":{"code":"Slow"}}', headers: { "x-a": "b" } },
      "revokeTokens",
      { statusCode: 429, code: "Slow" },
      0,
    ],
    [
      "html502",
      { kind: "html502" },
      "deleteUser",
      { statusCode: 502, message: expect.stringContaining("<html>") },
      0,
    ],
    ["resetBefore", { kind: "resetBefore" }, "createUser", reset, 0],
    ["resetAfter", { kind: "resetAfter" }, "createUser", reset, 1],
    ["resetAfter", { kind: "resetAfter" }, "revokeTokens", reset, 1],
    ["resetInBody", { kind: "resetInBody" }, "createUserAndToken", cutInBody, 1],
    ["resetInBody, where there is no body", { kind: "resetInBody" }, "deleteUser", reset, 1],
    ["wrongSuccess", { kind: "wrongSuccess" }, "createUser", { statusCode: 202 }, 1],
    ["wrongSuccess", { kind: "wrongSuccess", status: 201 }, "getToken", { statusCode: 201 }, 1],
    ["wrongSuccess", { kind: "wrongSuccess", status: 200 }, "revokeTokens", { statusCode: 200 }, 1],
    ["malformedJson", { kind: "malformedJson" }, "getToken", cutInBody, 1],
    [
      "identityGone",
      { kind: "identityGone" },
      "getToken",
      { statusCode: 404, details: { error: { message: "Provided identity doesn't exist." } } },
      0,
    ],
  ] as [Fault["kind"], Fault, Method, object, number][])(
    "%s (%j) in %s",
    async (_kind, fault, method, error, worked) => {
      await expect(call(method, fault)).rejects.toMatchObject(error);
      expect(emulator.counts.snapshot().operations[operationOf[method]]).toMatchObject({
        worked,
        faulted: 1,
      });
    },
  );

  it("missingExpiresOn: a token without an end", async () => {
    const answer = await call("getToken", { kind: "missingExpiresOn" });
    expect(answer).toHaveProperty("token");
    expect(answer).not.toHaveProperty("expiresOn");
  });

  it.each<[Fault]>([[{ kind: "latency", latencyMs: 120 }], [{ kind: "answerLate", latencyMs: 120 }]])(
    "%j: a success, later",
    async (fault) => {
      const startedAt = performance.now();
      await call("getToken", fault);
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
    },
  );

  it.each<[Fault, number]>([
    [{ kind: "hang" }, 0],
    [{ kind: "hangAfter" }, 1],
  ])("%j: no end until the caller's own", async (fault, worked) => {
    emulator.faults.add(fault);
    const ending = new AbortController();
    const pending = connect().createUser({ abortSignal: ending.signal });
    await until(() => emulator.counts.snapshot().operations.createIdentity?.faulted === 1);
    await until(() => emulator.worked("createIdentity") === worked);
    ending.abort();
    await expect(pending).rejects.toMatchObject({ name: "AbortError" });
  });

  it.each<[Fault]>([[{ kind: "resetBefore" }], [{ kind: "resetAfter" }], [{ kind: "resetInBody" }]])(
    "%j over https: a broken connection, and the emulator goes on",
    async (fault) => {
      await using secure = await startEmulator({ tls: true });
      const { connectionString, ca } = secure.https!;
      const client = new CommunicationIdentityClient(connectionString, {
        agent: new Agent({ ca }),
        retryOptions: { maxRetries: 0 },
      });
      secure.faults.add({ ...fault, times: 1 });
      await expect(client.createUser()).rejects.toThrow(/socket hang up|ECONNRESET|aborted/);
      await client.createUser();
    },
  );
});

it("lets the SDK's retries make orphans when the answers to a create are lost", async () => {
  emulator.faults.add({ kind: "resetAfter", operation: "createIdentity", times: 2 });
  const user = await connect(3).createUser();
  expect(emulator.identities.list().map(({ id }) => id)).toHaveLength(3);
  expect(emulator.identities.list().at(-1)?.id).toBe(user.communicationUserId);
  expect(Object.values(emulator.counts.snapshot().clientRequestIds)).toEqual([3]);
});

it("counts a request id also where the fault answered", async () => {
  emulator.faults.add({ kind: "status", status: 503, times: 2 });
  await connect(3).createUser();
  expect(Object.values(emulator.counts.snapshot().clientRequestIds)).toEqual([3]);
  expect(emulator.counts.snapshot().operations.createIdentity).toEqual({
    received: 1,
    worked: 1,
    throttled: 0,
    faulted: 2,
  });
});

it("ends a fault after its number of times, and tells how many are left", async () => {
  emulator.faults.add({ kind: "status", status: 503, times: 2 });
  const client = connect();
  await expect(client.createUser()).rejects.toThrow();
  expect(emulator.faults.list()).toEqual([{ kind: "status", status: 503, times: 1 }]);
  await expect(client.createUser()).rejects.toThrow();
  expect(emulator.faults.list()).toEqual([]);
  await client.createUser();
});

it("meets only the operation that the fault names", async () => {
  emulator.faults.add({ kind: "resetBefore", operation: "createIdentityWithToken" });
  const client = connect();
  const user = await client.createUser();
  await client.getToken(user, ["chat"]);
  await expect(client.createUserAndToken(["chat"])).rejects.toMatchObject(reset);
});

it("lets the first fault that meets a request count, then the next", async () => {
  emulator.faults.add({ kind: "status", status: 500, times: 1 });
  emulator.faults.add({ kind: "status", status: 501, times: 1 });
  const client = connect();
  await expect(client.createUser()).rejects.toMatchObject({ statusCode: 500 });
  await expect(client.createUser()).rejects.toMatchObject({ statusCode: 501 });
});

describe("a fault with a probability", () => {
  const failures = async (seed: number): Promise<string> => {
    await using seeded = await startEmulator({ seed });
    seeded.faults.add({ kind: "status", status: 503, probability: 0.5 });
    const client = connect(0, seeded);
    let outcome = "";
    for (let round = 0; round < 40; round++) {
      outcome += await client.createUser().then(
        () => ".",
        () => "x",
      );
    }
    return outcome;
  };

  it("meets the same requests with the same seed, and others with another", async () => {
    const first = await failures(7);
    expect(await failures(7)).toBe(first);
    expect(await failures(8)).not.toBe(first);
    expect(first.split("x").length - 1).toBeGreaterThan(8);
    expect(first.split(".").length - 1).toBeGreaterThan(8);
  });

  it.each([
    [0, "."],
    [1, "x"],
  ])("%d meets none or all", async (probability, outcome) => {
    emulator.faults.add({ kind: "resetBefore", probability });
    const client = connect();
    for (let round = 0; round < 5; round++) {
      const seen = await client.createUser().then(
        () => ".",
        () => "x",
      );
      expect(seen).toBe(outcome);
    }
  });
});

it("ends hanging and waiting requests when it is disposed of, and lets them do nothing more", async () => {
  const ended = await startEmulator();
  ended.faults.add({ kind: "hang", times: 1 });
  ended.faults.add({ kind: "latency", latencyMs: 300_000, times: 1 });
  const client = connect(0, ended);
  const pending = [client.createUser(), client.createUser()];
  const settled = Promise.allSettled(pending);
  await until(() => ended.faults.list().length === 0);
  await ended[Symbol.asyncDispose]();
  expect((await settled).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(ended.identities.list()).toEqual([]);
});

describe("the control route", () => {
  const control = (method: string, fault?: object) =>
    fetch(`${emulator.url}/_emulator/faults`, {
      method,
      ...(fault ? { headers: { "content-type": "application/json" }, body: JSON.stringify(fault) } : {}),
    });

  it("puts faults in force, lists them and ends them", async () => {
    const fault = { kind: "status", status: 500, operation: "createIdentity" };
    expect(await (await control("POST", fault)).json()).toEqual({ faults: [fault] });
    await expect(connect().createUser()).rejects.toMatchObject({ statusCode: 500 });
    expect(await (await control("GET")).json()).toEqual({ faults: [fault] });
    expect(await (await control("DELETE")).json()).toEqual({ faults: [] });
    await connect().createUser();
  });

  it.each<[object, RegExp]>([
    [{ kind: "explode" }, /^kind is one of status, latency, /],
    [{}, /^kind is one of /],
    [{ kind: "toString" }, /^kind is one of /],
    [{ kind: "hang", operation: "createUser" }, /^operation is one of createIdentity, /],
    [{ kind: "hang", times: 0 }, /^times is a whole number from 1/],
    [{ kind: "hang", times: 1.5 }, /^times /],
    [{ kind: "hang", probability: 2 }, /^probability is a number from 0 to 1/],
    [{ kind: "status" }, /^status is a whole number/],
    [{ kind: "status", status: 99 }, /^status is a whole number/],
    [{ kind: "latency" }, /^latencyMs is a number/],
    [{ kind: "latency", latencyMs: "soon" }, /^latencyMs is a number/],
    [{ kind: "latency", latencyMs: "50" }, /^latencyMs is a number/],
    [{ kind: "answerLate", latencyMs: -1 }, /^latencyMs is a number/],
    [{ kind: "latency", latencyMs: 2 ** 31 }, /^latencyMs is a number of milliseconds, at most 24 days/],
    [{ kind: "hang", probability: "0.5" }, /^probability is a number from 0 to 1/],
    [{ kind: "hang", probability: null }, /^probability is a number from 0 to 1/],
    [
      { kind: "hang", probabilty: 0.5 },
      /^hang has no field probabilty, only operation, times, probability\./,
    ],
    [{ kind: "hang", status: 500 }, /^hang has no field status/],
    [{ kind: "latency", latencyMs: 5, body: "x" }, /^latency has no field body/],
    [{ kind: "wrongSuccess", status: "202" }, /^status is a whole number/],
    [{ kind: "status", status: 503, body: { error: {} } }, /^body is a string: JSON goes in as text/],
    [{ kind: "status", status: 503, headers: { "retry-after": 2 } }, /^headers is an object of header names/],
    [{ kind: "status", status: 503, headers: { "retry after": "2" } }, /^headers /],
    [{ kind: "status", status: 503, headers: { "x-a": "b\r\nx-c: d" } }, /^headers /],
    [{ kind: "status", status: 503, headers: ["retry-after"] }, /^headers /],
    [{ kind: "hang", operation: "toString" }, /^operation is one of createIdentity, /],
  ])("refuses %j and says why", async (fault, why) => {
    const response = await control("POST", fault);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toMatch(why);
    expect(emulator.faults.list()).toEqual([]);
    await connect().createUser();
  });
});
