/** The emulator believes a signature only over exactly what arrived, by a key that it has, of about now. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { keyOf, send, type Wanted } from "./signed-request";

const now = Date.UTC(2026, 10, 23, 12);
const query = "?api-version=2023-10-01";
const deniedError = { code: "Denied", message: "Denied by the resource provider." };

let emulator: Emulator;
let key: string;
let id: string;
beforeAll(async () => {
  emulator = await startEmulator({ clock: () => now, tls: true });
  key = keyOf(emulator.connectionString);
  const { text } = await send(emulator.url, { key, date: new Date(now) });
  id = (JSON.parse(text) as { identity: { id: string } }).identity.id;
});
afterAll(() => emulator[Symbol.asyncDispose]());

const issueTarget = (raw = encodeURIComponent(id)) => `/identities/${raw}/:issueAccessToken${query}`;
const signedNow = (wanted: Wanted) => send(emulator.url, { key, date: new Date(now), ...wanted });
const body = '{"scopes":["chat"]}';

it("accepts a request that is signed as it is sent", async () => {
  expect(await signedNow({ target: issueTarget(), body })).toMatchObject({ status: 200 });
});

it("accepts the secondary key", async () => {
  const secondary = keyOf(emulator.secondaryConnectionString);
  expect(secondary).not.toBe(key);
  expect(await signedNow({ key: secondary })).toMatchObject({ status: 201 });
});

it("accepts the form that signs `date`, as SDKs did before mid-2021", async () => {
  const answer = await signedNow({
    change: (signed) => ({
      ...signed,
      authorization: signed.authorization?.replace("x-ms-date;", "date;"),
      date: signed["x-ms-date"],
      "x-ms-date": undefined,
    }),
  });
  expect(answer.status).toBe(201);
});

describe("answers 401 `Denied` to", () => {
  it.each<[string, () => Wanted]>([
    ["another key", () => ({ key: Buffer.alloc(64, 7).toString("base64") })],
    ["an empty key", () => ({ key: "" })],
    ["an altered body", () => ({ target: issueTarget(), body, signed: { body: '{"scopes":["voip"]}' } })],
    ["a body where none was signed", () => ({ body: "{}", signed: { body: "" } })],
    [
      "an altered path",
      () => ({ target: issueTarget(), body, signed: { target: issueTarget("8:acs:x_y") } }),
    ],
    [
      "the same path encoded in another way",
      () => ({ target: issueTarget(id), body, signed: { target: issueTarget() } }),
    ],
    [
      "an altered query",
      () => ({ target: `/identities${query}`, signed: { target: "/identities?api-version=2022-10-01" } }),
    ],
    [
      "an added query",
      () => ({ target: `/identities${query}&x`, signed: { target: `/identities${query}` } }),
    ],
    ["another host", () => ({ signed: { host: "contoso.communication.azure.com" } })],
    ["the host without its port", () => ({ signed: { host: "127.0.0.1" } })],
    [
      "another method",
      () => ({
        method: "DELETE",
        target: `/identities/${encodeURIComponent(id)}${query}`,
        change: (signed) => ({ ...signed, authorization: wrongMethod() }),
      }),
    ],
    ["a date more than 15 minutes old", () => ({ date: new Date(now - 15 * 60_000 - 1000) })],
    ["a date more than 15 minutes ahead", () => ({ date: new Date(now + 15 * 60_000 + 1000) })],
    ["no signature at all", () => ({ change: () => ({}) })],
    ["no date", () => ({ change: (signed) => ({ ...signed, "x-ms-date": undefined }) })],
    ["a date that is none", () => ({ change: (signed) => ({ ...signed, "x-ms-date": "yesterday" }) })],
    ["no content hash", () => ({ change: (signed) => ({ ...signed, "x-ms-content-sha256": undefined }) })],
    [
      "a content hash of other content",
      () => ({ change: (signed) => ({ ...signed, "x-ms-content-sha256": "AAAA" }) }),
    ],
    [
      "an empty signature",
      () => ({
        change: (signed) => ({
          ...signed,
          authorization: signed.authorization?.replace(/Signature=.*/, "Signature="),
        }),
      }),
    ],
    [
      "fewer signed headers",
      () => ({
        change: (signed) => ({
          ...signed,
          authorization: signed.authorization?.replace("x-ms-date;host;", "host;"),
        }),
      }),
    ],
    [
      "another scheme",
      () => ({
        change: (signed) => ({
          ...signed,
          authorization: signed.authorization?.replace("HMAC-SHA256", "HMAC-SHA1"),
        }),
      }),
    ],
    [
      "a date that was changed after signing",
      () => ({ change: (signed) => ({ ...signed, "x-ms-date": new Date(now + 1000).toUTCString() }) }),
    ],
  ])("%s", async (_what, wanted) => {
    const answer = await signedNow(wanted());
    expect(answer).toMatchObject({ status: 401, error: deniedError });
    expect(answer.headers["api-supported-versions"]).toBeUndefined();
    expect(answer.headers["content-type"]).toBe("application/json");
  });

  it("another key, through the official SDK", async () => {
    await using today = await startEmulator();
    const clientOf = (connectionString: string) =>
      new CommunicationIdentityClient(connectionString, { allowInsecureConnection: true });
    await clientOf(today.connectionString).createUser();
    const wrong = today.connectionString.replace(key, Buffer.alloc(64, 1).toString("base64"));
    await expect(clientOf(wrong).createUser()).rejects.toMatchObject({ statusCode: 401, code: "Denied" });
  });

  it("an Entra token over plain http, though it is good over https", async () => {
    const authorization = `Bearer ${await emulator.entra.token()}`;
    expect(await signedNow({ change: () => ({ authorization }) })).toMatchObject({
      status: 401,
      error: deniedError,
    });
  });

  it("whatever is wrong with the request besides", async () => {
    const wanted = {
      key: Buffer.alloc(8).toString("base64"),
      target: "/identities?api-version=1999-12-31",
      body: "{",
    };
    expect(await signedNow(wanted)).toMatchObject({ status: 401, error: deniedError });
  });
});

it.each([
  ["a date 15 minutes old", -15 * 60_000],
  ["a date 15 minutes ahead", 15 * 60_000],
])("accepts %s", async (_what, off) => {
  expect((await signedNow({ date: new Date(now + off) })).status).toBe(201);
});

it.each(["..%2Fa%20b", "%2e%2e", "%zz", "8%3Aacs%3Ax", "a%2Fb%3Fc", "%F0%9F%98%80", "%00"])(
  "believes the signature over the odd id %s, and says that the identity is not the resource's",
  async (raw) => {
    expect(await signedNow({ target: issueTarget(raw), body })).toMatchObject({
      status: 401,
      error: { code: "IdentityNotOwned", message: "Provided identity doesn't belong to the resource." },
    });
    expect(
      await signedNow({ target: issueTarget(raw), body, signed: { target: issueTarget(`${raw}x`) } }),
    ).toMatchObject({ status: 401, error: deniedError });
  },
);

it.each(["a/b", "8:acs:ünïcode", "'; drop", "a?b#c", "%zz", "a b"])(
  "verifies what the official SDK makes of the odd id %s",
  async (communicationUserId) => {
    await using today = await startEmulator();
    const client = new CommunicationIdentityClient(today.connectionString, { allowInsecureConnection: true });
    await expect(client.revokeTokens({ communicationUserId })).rejects.toMatchObject({
      statusCode: 401,
      code: "IdentityNotOwned",
    });
  },
);

/** A right signature of the same request as a POST. */
function wrongMethod(): string {
  const target = `/identities/${encodeURIComponent(id)}${query}`;
  const date = new Date(now).toUTCString();
  const hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  const { host } = new URL(emulator.url);
  const signature = createHmac("sha256", Buffer.from(key, "base64"))
    .update(`POST\n${target}\n${date};${host};${hash}`)
    .digest("base64");
  return `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`;
}
