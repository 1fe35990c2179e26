/** The level of a running gateway's log: another one for a time, for operators and by a signal. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { CreateIdentityDocument } from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { startGatewayProcess, type GatewayProcess } from "../../support/gateway-process";
import { GraphqlClient } from "../../support/graphql-client";
import { until } from "../../support/until";

let emulator: Emulator;
let gateway: GatewayProcess;
const [operator, service] = ["the-key-of-an-operator", "the-key-of-a-service"];
const entry = (name: string, key: string, rights: string) =>
  `${name}:${hashApiKey(key).toString("hex")} rights=${rights}`;

beforeAll(async () => {
  emulator = await startEmulator({ limits: false });
  gateway = await startGatewayProcess({
    ACS_CONNECTION_STRING: emulator.connectionString,
    API_KEYS: [
      entry("operator", operator, "gateway:operate"),
      entry("service", service, "identity:create"),
    ].join(","),
    AUDIT_LOG: "stderr",
    LOG_LEVEL: "warn",
  });
}, 120_000);
afterAll(async () => {
  await (gateway as GatewayProcess | undefined)?.[Symbol.asyncDispose]();
  await (emulator as Emulator | undefined)?.[Symbol.asyncDispose]();
});

const lines = () =>
  gateway.log
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const changes = () => lines().filter(({ msg }) => msg === "the level of the log is changed");

async function ask(method: string, key?: string, body?: unknown) {
  const response = await fetch(`${gateway.origin}/operations/log-level`, {
    method,
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { "x-api-key": key }) },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = (text === "" ? {} : JSON.parse(text)) as {
    level?: string;
    usual?: string;
    until?: string | null;
    errors?: { extensions: { code: string } }[];
  };
  return { status: response.status, code: json.errors?.[0]?.extensions.code, json, response };
}

/** Whether what a request makes the gateway tell at debug and info is in the log. */
async function tells(): Promise<boolean> {
  const before = lines().filter(({ msg }) => msg === "identity created").length;
  await new GraphqlClient(gateway.url, { "x-api-key": service }).data(CreateIdentityDocument);
  // The audit's line of the same is written whatever the level is, and after it.
  const audited = lines().filter(({ action }) => action === "identity.create").length;
  await until(
    () => lines().filter(({ action }) => action === "identity.create").length >= Math.max(1, audited),
  );
  return lines().filter(({ msg }) => msg === "identity created").length > before;
}

it("is for operators alone", async () => {
  for (const method of ["GET", "PUT"]) {
    const body = method === "PUT" ? { level: "trace" } : undefined;
    expect(await ask(method, undefined, body)).toMatchObject({ status: 401, code: "UNAUTHENTICATED" });
    expect(await ask(method, "a-wrong-key-of-nobody", body)).toMatchObject({ status: 401 });
    expect(await ask(method, service, body)).toMatchObject({ status: 403, code: "FORBIDDEN" });
  }
  expect((await ask("GET", operator)).json).toEqual({ level: "warn", usual: "warn", until: null });
  const { status, response } = await ask("DELETE", operator);
  expect([status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, PUT"]);
});

it.each([
  "",
  "[]",
  "{}",
  { level: "loud" },
  { level: "debug", minutes: 0 },
  { level: "debug", minutes: -1 },
  { level: "debug", minutes: 100_000 },
  { level: "debug", minutes: "10" },
  { level: "debug", for: 10 },
])("refuses %j", async (body) => {
  expect(await ask("PUT", operator, body)).toMatchObject({ status: 400, code: "BAD_REQUEST" });
  expect((await ask("GET", operator)).json.level).toBe("warn");
});

it("takes another level at once, and the usual one by itself when the time is over", async () => {
  expect(await tells()).toBe(false);
  const seconds = 4;
  const { json } = await ask("PUT", operator, { level: "debug", minutes: seconds / 60 });
  expect(json).toMatchObject({ level: "debug", usual: "warn" });
  expect(Math.abs(Date.parse(json.until ?? "") - Date.now() - seconds * 1_000)).toBeLessThan(2_000);
  expect(await tells()).toBe(true);
  await until(async () => (await ask("GET", operator)).json.level === "warn");
  expect((await ask("GET", operator)).json).toEqual({ level: "warn", usual: "warn", until: null });
  expect(await tells()).toBe(false);
  expect(changes().slice(-2)).toMatchObject([
    { level: "warn", from: "warn", to: "debug", by: "operator" },
    { level: "warn", from: "debug", to: "warn", by: "time", until: null },
  ]);
  const audited = lines().filter(({ action }) => action === "gateway.operate");
  expect(audited).toContainEqual(
    expect.objectContaining({
      outcome: "ok",
      caller: { kind: "service", name: "operator" },
      change: expect.stringMatching(/^log level debug for 0\.0\d+ minutes$/) as unknown,
    }),
  );
  expect(audited).toContainEqual(
    expect.objectContaining({ outcome: "FORBIDDEN", caller: { kind: "service", name: "service" } }),
  );
});

it("goes to debug and back at SIGUSR2, and stays a quarter of an hour at most", async () => {
  gateway.signal("SIGUSR2");
  await until(async () => (await ask("GET", operator)).json.level === "debug");
  const { until: end } = (await ask("GET", operator)).json;
  expect(Math.abs(Date.parse(end ?? "") - Date.now() - 15 * 60_000)).toBeLessThan(10_000);
  expect(await tells()).toBe(true);
  gateway.signal("SIGUSR2");
  await until(async () => (await ask("GET", operator)).json.level === "warn");
  expect(await tells()).toBe(false);
  expect(changes().slice(-2)).toMatchObject([
    { to: "debug", by: "signal" },
    { to: "warn", by: "signal" },
  ]);
});
