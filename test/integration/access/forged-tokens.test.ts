/** Access tokens that nobody should believe, each in a row, and those that must be. */
import { createHmac, createPrivateKey, createSign, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import {
  CompactEncrypt,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from "jose";
import { GraphqlClient } from "../../support/graphql-client";
import { startWorld, type World } from "../../support/world";

const audience = "api://gateway";
const identityId = "8:acs:0e0ac5e0-0000-4000-8000-00000000ac5e_somebody";
const algorithms = ["RS256", "PS256", "ES256", "EdDSA"] as const;

let world: World;
let server: Server;
let issuer: string;
let other: string;
let asked: string[];
const keys = new Map<string, { publicKey: CryptoKey; privateKey: CryptoKey }>();
let foreign: CryptoKey;

beforeAll(async () => {
  for (const alg of algorithms) keys.set(alg, await generateKeyPair(alg, { extractable: true }));
  foreign = (await generateKeyPair("ES256")).privateKey;
  const jwks: JWK[] = [];
  for (const [alg, { publicKey }] of keys)
    jwks.push({ ...(await exportJWK(publicKey)), kid: alg, alg, use: "sig" });
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: jwks }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  other = `${issuer}/other`;
  world = await startWorld({
    environment: {
      // The identity is a claim, so no directory is needed.
      OIDC_ISSUERS: [
        `${issuer} audience=${audience} audience=second jwks=${issuer}/jwks identity-claim=acs guests=role:guest`,
        `${other} audience=other jwks=${issuer}/jwks identity-claim=acs scopes=chat rights=identity:create`,
      ].join(","),
    },
  });
  world.events.lines.length = 0;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

const seconds = () => Math.floor(world.clock.now() / 1000);
const claims = (more: JWTPayload = {}): JWTPayload => ({
  iss: issuer,
  aud: audience,
  sub: "somebody",
  iat: seconds(),
  exp: seconds() + 3600,
  acs: identityId,
  ...more,
});

interface Header {
  readonly alg?: string;
  readonly kid?: string;
  readonly typ?: string;
  readonly [name: string]: unknown;
}

function sign(payload: JWTPayload, header: Header = {}, key?: CryptoKey): Promise<string> {
  const alg = header.alg ?? "ES256";
  const signer = key ?? keys.get(alg)!.privateKey;
  return new SignJWT(payload).setProtectedHeader({ kid: alg, typ: "at+jwt", ...header, alg }).sign(signer);
}

const part = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const without = (name: string) =>
  Object.fromEntries(Object.entries(claims()).filter(([each]) => each !== name));
const client = (authorization: string, more: Record<string, string> = {}) =>
  new GraphqlClient(world.client.url, { authorization, ...more });
const viewer = "{ viewer { name kind scopes rights identity { id } } }";

function hs256(secret: string | Buffer): Promise<string> {
  const input = `${part({ alg: "HS256", kid: "RS256", typ: "at+jwt" })}.${part(claims())}`;
  return Promise.resolve(`${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`);
}

async function changed(change: (parts: [string, string, string]) => string): Promise<string> {
  return change((await sign(claims())).split(".") as [string, string, string]);
}

describe("believes", () => {
  it.each([
    ...algorithms.map((alg) => [`a token signed with ${alg}`, () => sign(claims(), { alg })] as const),
    ["one of several audiences", () => sign(claims({ aud: ["nobody", audience] }))],
    ["the other audience", () => sign(claims({ aud: "second" }))],
    ["typ JWT", () => sign(claims(), { typ: "JWT" })],
    ["typ application/at+jwt", () => sign(claims(), { typ: "application/at+jwt" })],
    ["one that expired four seconds ago: clocks differ", () => sign(claims({ exp: seconds() - 4 }))],
    ["one without a key id, if one key alone fits", () => sign(claims(), { kid: undefined as never })],
  ] as readonly (readonly [string, () => Promise<string>])[])("%s", async (_what, make) => {
    const { data } = await client(`Bearer ${await make()}`).send(viewer);
    expect(data).toMatchObject({ viewer: { name: "somebody", kind: "USER", identity: { id: identityId } } });
  });

  it("the scheme in any case", async () => {
    expect((await client(`bEARER ${await sign(claims())}`).send(viewer)).status).toBe(200);
  });
});

describe("does not believe", () => {
  const rows: readonly (readonly [string, () => Promise<string>])[] = [
    ...["none", "None", "NONE", "nOnE", ""].map(
      (alg) =>
        [
          `alg "${alg}" without a signature`,
          () => changed(([, body]) => `${part({ alg, typ: "at+jwt" })}.${body}.`),
        ] as const,
    ),
    [
      "alg none with a signature left over",
      () => changed(([, body, end]) => `${part({ alg: "none", typ: "at+jwt" })}.${body}.${end}`),
    ],
    [
      "HS256 with the public key (PEM) as its secret",
      async () => hs256(await exportSPKI(keys.get("RS256")!.publicKey)),
    ],
    [
      "HS256 with the public key (JWK) as its secret",
      async () => hs256(JSON.stringify(await exportJWK(keys.get("RS256")!.publicKey))),
    ],
    [
      "HS256 with the modulus as its secret",
      async () => hs256(Buffer.from((await exportJWK(keys.get("RS256")!.publicKey)).n ?? "", "base64url")),
    ],
    ["HS256 with an empty secret", () => hs256("")],
    [
      "an algorithm that is not accepted",
      async () => sign(claims(), { alg: "ES384", kid: "ES256" }, (await generateKeyPair("ES384")).privateKey),
    ],
    ["RS512 with the issuer's RSA key", () => Promise.resolve(rs512())],
    ["another key", () => sign(claims(), {}, foreign)],
    ["another issuer", () => sign(claims({ iss: "https://evil.example" }))],
    ["the issuer with a slash at its end", () => sign(claims({ iss: `${issuer}/` }))],
    ["the issuer in capitals", () => sign(claims({ iss: issuer.toUpperCase() }))],
    ["no issuer", () => sign(without("iss"))],
    ["a list of issuers", () => sign(claims({ iss: [issuer] as never }))],
    ["another audience", () => sign(claims({ aud: "api://somebody-else" }))],
    ["the other issuer's audience", () => sign(claims({ aud: "other" }))],
    ["an audience that begins alike", () => sign(claims({ aud: `${audience}/` }))],
    ["no audience", () => sign(without("aud"))],
    ["an empty list of audiences", () => sign(claims({ aud: [] }))],
    ["one that has expired", () => sign(claims({ exp: seconds() - 6 }))],
    ["no expiry", () => sign(without("exp"))],
    ["an expiry that is a text", () => sign(claims({ exp: String(seconds() + 3600) as never }))],
    ["a negative expiry", () => sign(claims({ exp: -1 }))],
    ["one that is not valid yet", () => sign(claims({ nbf: seconds() + 60 }))],
    ["no subject", () => sign(without("sub"))],
    ["an empty subject", () => sign(claims({ sub: "" }))],
    ["a subject that is a number", () => sign(claims({ sub: 7 as never }))],
    ["a subject of 256 characters", () => sign(claims({ sub: "x".repeat(256) }))],
    ["a subject with half a character", () => sign(claims({ sub: "some\ud800body" }))],
    ["a subject with a NUL", () => sign(claims({ sub: "some\0body" }))],
    ["a subject with a line break", () => sign(claims({ sub: "some\nbody" }))],
    ["a logout token", () => sign(claims(), { typ: "logout+jwt" })],
    ["a DPoP proof", () => sign(claims(), { typ: "dpop+jwt" })],
    ["a security event", () => sign(claims(), { typ: "secevent+jwt" })],
    ["no typ", () => sign(claims(), { typ: undefined as never })],
    [
      "a critical header that it does not know",
      () =>
        changed(
          ([, body, end]) =>
            `${part({ alg: "ES256", kid: "ES256", typ: "at+jwt", crit: ["x"], x: 1 })}.${body}.${end}`,
        ),
    ],
    [
      "its own key in jwk",
      async () => {
        const own = await generateKeyPair("ES256", { extractable: true });
        return sign(claims(), { jwk: await exportJWK(own.publicKey) }, own.privateKey);
      },
    ],
    ["its own keys at jku", () => sign(claims(), { jku: `${issuer}/attacker` }, foreign)],
    ["its own certificate at x5u", () => sign(claims(), { x5u: `${issuer}/attacker` }, foreign)],
    ["a key id that is a path", () => sign(claims(), { kid: "../../../../dev/null" }, foreign)],
    ["a key id that is SQL", () => sign(claims(), { kid: "' OR '1'='1" }, foreign)],
    ["a key id of 4,000 characters", () => sign(claims(), { kid: "k".repeat(4_000) }, foreign)],
    ["another algorithm's key id", () => sign(claims(), { kid: "RS256" })],
    ["no signature", () => changed(([head, body]) => `${head}.${body}.`)],
    ["two parts", () => changed(([head, body]) => `${head}.${body}`)],
    ["four parts", () => changed((parts) => [...parts, "x"].join("."))],
    [
      "a signature of zeros (CVE-2022-21449)",
      () => changed(([head, body]) => `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`),
    ],
    [
      "a signature with one bit changed",
      () =>
        changed(([head, body, end]) => {
          const bytes = Buffer.from(end, "base64url");
          bytes[10]! ^= 1;
          return `${head}.${body}.${bytes.toString("base64url")}`;
        }),
    ],
    [
      "claims that were changed",
      () => changed(([head, , end]) => `${head}.${part(claims({ sub: "somebody else" }))}.${end}`),
    ],
    [
      "an encrypted token",
      () =>
        new CompactEncrypt(new TextEncoder().encode(JSON.stringify(claims())))
          .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
          .encrypt(new Uint8Array(32)),
    ],
    ["a nested token", async () => sign(claims({ acs: undefined }), { cty: "JWT" }, foreign)],
    ["a body that is no JSON", () => changed(([head, , end]) => `${head}.${part("garbage")}.${end}`)],
    ["a body that is a list", () => changed(([head, , end]) => `${head}.${part([1])}.${end}`)],
    ["a body that is null", () => changed(([head, , end]) => `${head}.${part("null")}.${end}`)],
    ["a header that is null", () => changed(([, body, end]) => `${part("null")}.${body}.${end}`)],
    ["dots", () => Promise.resolve("..")],
    ["12,000 letters", () => Promise.resolve("A".repeat(12_000))],
    ["an identity in the claim that is none", () => sign(claims({ acs: "8:acs:nonsense" }))],
    ["a list of identities in the claim", () => sign(claims({ acs: [identityId] }))],
  ];

  it.each(rows)("%s", async (_what, make) => {
    const asks = asked.length;
    const token = await make();
    for (const document of [
      viewer,
      `mutation { issueToken(input: { scopes: [CHAT] }) { accessToken { token } } }`,
    ]) {
      const { status, errors, data, headers } = await client(`Bearer ${token}`).send(document);
      expect({ status, data }).toEqual({ status: 401, data: undefined });
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["UNAUTHENTICATED"]);
      expect(headers.get("www-authenticate")).toBe("Bearer");
    }
    expect(asked.slice(asks)).not.toContain("/attacker");
    expect(world.emulator.identities.list()).toEqual([]);
  });

  it.each([
    ["Basic", "Basic c29tZWJvZHk6c2VjcmV0"],
    ["no scheme", "eyJhbGciOiJub25lIn0.e30."],
    ["an empty token", "Bearer "],
    ["two tokens", "Bearer a.b.c d.e.f"],
  ])("%s", async (_what, authorization) => {
    expect((await client(authorization).send(viewer)).status).toBe(401);
  });

  it("anybody with two credentials, even if both are good", async () => {
    const both = client(`Bearer ${await sign(claims())}`, { "x-api-key": "a-development-key-for-tests" });
    expect(await both.error(viewer)).toMatchObject({ status: 401, extensions: { code: "UNAUTHENTICATED" } });
  });
});

it("asks the issuer at most once in five seconds for keys that nobody has", async () => {
  await client(`Bearer ${await sign(claims())}`).send(viewer);
  world.clock.advanceBy({ ms: 6_000 });
  const before = asked.length;
  const flood = await Promise.all(
    Array.from({ length: 300 }, async (_, index) =>
      client(`Bearer ${await sign(claims(), { kid: `unknown ${index}` }, foreign)}`).send(viewer),
    ),
  );
  expect(new Set(flood.map(({ status }) => status))).toEqual(new Set([401]));
  expect(asked.length - before).toBeLessThanOrEqual(1);
});

describe("policies", () => {
  const issue = (scopes: string) =>
    `mutation { issueToken(input: { scopes: [${scopes}] }) { accessToken { scopes } } }`;

  it("a guest may join, and no more", async () => {
    const guest = client(`Bearer ${await sign(claims({ role: "guest" }))}`);
    expect(await guest.data(viewer)).toMatchObject({
      viewer: { kind: "GUEST", scopes: ["CHAT_JOIN_LIMITED", "VOIP_JOIN"] },
    });
    for (const scopes of ["CHAT", "CHAT_JOIN", "VOIP", "CHAT_JOIN_LIMITED, VOIP"]) {
      expect(await guest.error(issue(scopes))).toMatchObject({
        status: 403,
        extensions: { code: "FORBIDDEN" },
      });
    }
  });

  it("an issuer's scopes include what is part of them", async () => {
    const user = client(`Bearer ${await sign(claims({ iss: other, aud: "other" }))}`);
    expect(await user.data(viewer)).toMatchObject({
      viewer: { kind: "USER", scopes: ["CHAT", "CHAT_JOIN", "CHAT_JOIN_LIMITED"] },
    });
    expect(await user.error(issue("VOIP_JOIN"))).toMatchObject({ extensions: { code: "FORBIDDEN" } });
  });

  it.each([
    ["scope", "openid identity:create"],
    ["scp", ["identity:create"]],
    ["roles", ["identity:create", "token:issue:any"]],
    ["permissions", ["identity:create"]],
  ])("a right in %s counts if the issuer may give it, and only then", async (claim, value) => {
    const rightsOf = async (payload: JWTPayload) =>
      (await client(`Bearer ${await sign(payload)}`).data<{ viewer: { rights: string[] } }, object>(viewer))
        .viewer.rights;
    expect(await rightsOf(claims({ iss: other, aud: "other", [claim]: value }))).toEqual(["identity:create"]);
    expect(await rightsOf(claims({ [claim]: value }))).toEqual([]);
  });

  it("a user whose issuer names no identity is told so", async () => {
    const user = client(`Bearer ${await sign(without("acs"))}`);
    expect(await user.error(issue("CHAT"))).toMatchObject({
      extensions: { code: "FORBIDDEN" },
      message: "Your access token names no identity of yours.",
    });
  });
});

it("goes on believing what it has verified when the issuer is away, and not a second longer than it lives", async () => {
  const token = await sign(claims({ exp: seconds() + 600 }));
  expect((await client(`Bearer ${token}`).send(viewer)).status).toBe(200);
  server.closeAllConnections();
  server.close();
  world.clock.advanceBy({ minutes: 9 });
  expect((await client(`Bearer ${token}`).send(viewer)).status).toBe(200);
  // The key is known for a day.
  expect((await client(`Bearer ${await sign(claims())}`).send(viewer)).status).toBe(200);
  world.clock.advanceBy({ minutes: 1, ms: 5_000 });
  expect(await client(`Bearer ${token}`).error(viewer)).toMatchObject({
    status: 401,
    message: "The access token is not valid: it has expired.",
  });
  world.clock.advanceBy({ minutes: 24 * 60 });
  expect(await client(`Bearer ${await sign(claims())}`).error(viewer)).toMatchObject({
    status: 503,
    extensions: { code: "ISSUER_UNAVAILABLE", retryAfterSeconds: 5 },
  });
});

it("has written no token into its log", () => {
  expect(world.events.lines.join("")).not.toMatch(/eyJ/);
});

function rs512(): string {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key: KeyObject = createPrivateKey(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  const input = `${part({ alg: "RS512", kid: "RS256", typ: "at+jwt" })}.${part(claims())}`;
  return `${input}.${createSign("RSA-SHA512").update(input).sign(key, "base64url")}`;
}
