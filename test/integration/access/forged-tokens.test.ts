/** Access tokens that nobody should believe, each in a row, and those that must be. */
import { createHmac, createPrivateKey, createSign, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import {
  CompactEncrypt,
  CompactSign,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from "jose";
import { makeDirectoryFolder, type DirectoryFolder } from "../../support/directory-folder";
import { openStream } from "../../support/event-stream";
import { GraphqlClient } from "../../support/graphql-client";
import { startWorld, type World } from "../../support/world";

const audience = "api://gateway";
const identityId = "8:acs:0e0ac5e0-0000-4000-8000-00000000ac5e_somebody";
const algorithms = ["RS256", "PS256", "ES256", "EdDSA"] as const;
/** Accepted of issuers whose entry says so. */
const otherAlgorithms = ["RS512", "ES384"] as const;

let world: World;
let server: Server;
let issuer: string;
let other: string;
let strict: string;
let b2c: string;
let directory: DirectoryFolder;
let asked: string[];
const jwks: JWK[] = [];
const keys = new Map<string, { publicKey: CryptoKey; privateKey: CryptoKey }>();
let foreign: CryptoKey;

beforeAll(async () => {
  for (const alg of [...algorithms, ...otherAlgorithms])
    keys.set(alg, await generateKeyPair(alg, { extractable: true }));
  foreign = (await generateKeyPair("ES256")).privateKey;
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
  strict = `${issuer}/strict`;
  b2c = `${issuer}/b2c`;
  directory = await makeDirectoryFolder();
  world = await startWorld({
    environment: {
      DIRECTORY_PATH: directory.path,
      // The first names its users' identities itself; those of the others are in the directory.
      OIDC_ISSUERS: [
        `${issuer} audience=${audience} audience=second jwks=${issuer}/jwks identity-claim=acs guests=role:guest`,
        `${other} audience=other jwks=${issuer}/jwks scopes=chat rights=identity:create guests=role:guest`,
        `${strict} audience=${audience} jwks=${issuer}/jwks require=scp:access require=https://example.com/roles:member algorithms=RS512+ES384 clock-tolerance=60`,
        `${b2c} audience=${audience} jwks=${issuer}/jwks subject-claim=oid`,
      ].join(","),
    },
  });
  world.events.lines.length = 0;
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
  await directory[Symbol.asyncDispose]();
}, 30_000);

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

/** Signed as it stands: claims that no JSON.stringify writes. */
function signText(payload: string): Promise<string> {
  return new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: "ES256", kid: "ES256", typ: "at+jwt" })
    .sign(keys.get("ES256")!.privateKey);
}

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
    [
      "a nonce beside a scope, as old Keycloaks write it",
      () => sign(claims({ nonce: "n", scope: "openid" })),
    ],
    ["a nonce where typ says that it is an access token", () => sign(claims({ nonce: "n" }))],
    ["a claim of guests that is an object", () => sign(claims({ role: { toString: 1, valueOf: 1 } }))],
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
    ["a subject of spaces", () => sign(claims({ sub: "   " }))],
    ...[
      { typ: 1 },
      { typ: {} },
      { typ: ["at+jwt"] },
      { typ: null },
      { typ: { toLowerCase: 1 } },
      { alg: {} },
      { alg: { toString: 1, valueOf: 1 } },
      { alg: ["ES256"] },
      { alg: null },
      { alg: "constructor" },
      { alg: "A".repeat(5_000) },
      { kid: {} },
      { kid: 1 },
      { crit: 1 },
      { crit: [] },
      { b64: false, crit: ["b64"] },
      { __proto__: null, typ: true },
    ].map(
      (header) =>
        [
          `a header with ${JSON.stringify(header).slice(0, 40)}`,
          () =>
            changed(
              ([, body, end]) =>
                `${part({ alg: "ES256", kid: "ES256", typ: "at+jwt", ...header })}.${body}.${end}`,
            ),
        ] as const,
    ),
    ...[
      '"iss":{}',
      '"iss":["x"]',
      '"aud":{"length":1}',
      '"aud":[{}]',
      '"exp":1e400',
      '"exp":1e300',
      '"exp":null',
      '"exp":{}',
      '"nbf":"soon"',
      '"iat":[]',
      '"sub":{"toString":1}',
      '"__proto__":{"sub":"somebody"},"sub":null',
    ].map(
      (text) =>
        [
          `claims with ${text}, signed`,
          () => signText(`${JSON.stringify(claims()).slice(0, -1)},${text}}`),
        ] as const,
    ),
    ["an ID token with at_hash", () => sign(claims({ at_hash: "x" }), { typ: "JWT" })],
    ["an ID token with c_hash", () => sign(claims({ c_hash: "x" }), { typ: "JWT" })],
    ["an ID token with s_hash", () => sign(claims({ s_hash: "x" }), { typ: "JWT" })],
    ["an ID token with a nonce", () => sign(claims({ nonce: "x" }), { typ: "JWT" })],
    ["an ID token of Keycloak", () => sign(claims({ typ: "ID", scope: "openid" }), { typ: "JWT" })],
    ["an ID token of Cognito", () => sign(claims({ token_use: "id" }), { typ: "JWT" })],
    ["a logout token with typ JWT", () => sign(claims({ events: {} }), { typ: "JWT" })],
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
      expect(errors?.[0]?.message.length).toBeLessThan(300);
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

describe("an issuer's entry", () => {
  const roles = "https://example.com/roles";
  const good = { scp: "openid access", [roles]: ["member", "admin"] };
  const strictly = (more: JWTPayload, alg: "RS512" | "ES384" = "ES384") =>
    sign(claims({ iss: strict, acs: undefined, ...good, ...more }), { alg, typ: "JWT" });

  it.each([
    ["a claim that is a text of words, and one that is a list", () => strictly({})],
    ["a list of scopes, and a role alone", () => strictly({ scp: ["access"], [roles]: "member" })],
    ["another algorithm", () => strictly({}, "RS512")],
    ["one that expired less than its clock tolerance ago", () => strictly({ exp: seconds() - 50 })],
    ["one that will be valid within its clock tolerance", () => strictly({ nbf: seconds() + 50 })],
  ] as const)("admits %s", async (_what, make) => {
    expect(await client(`Bearer ${await make()}`).data("{ viewer { name } }")).toEqual({
      viewer: { name: "somebody" },
    });
  });

  it.each([
    ["a claim that is missing", () => strictly({ scp: undefined }), "its claim scp must have access"],
    [
      "a word that only begins alike",
      () => strictly({ scp: "access.read" }),
      "its claim scp must have access",
    ],
    [
      "a claim that is an object",
      () => strictly({ scp: { access: true } }),
      "its claim scp must have access",
    ],
    ["one claim of two", () => strictly({ [roles]: ["admin"] }), `its claim ${roles} must have member`],
    [
      "an algorithm that it leaves out",
      () => sign(claims({ iss: strict, ...good })),
      "its algorithm is not accepted",
    ],
    ["one that expired longer ago", () => strictly({ exp: seconds() - 61 }), "it has expired"],
  ] as const)("refuses %s", async (_what, make, why) => {
    expect(await client(`Bearer ${await make()}`).error(viewer)).toMatchObject({
      status: 401,
      message: `The access token is not valid: ${why}.`,
    });
  });

  it.each([
    "Not supported currently. Use oid claim.",
    "00000000-0000-0000-0000-000000000000",
    "NULL",
    "undefined",
    "[object Object]",
  ])("never takes %j for a user, and says what to do", async (sub) => {
    expect(await client(`Bearer ${await sign(claims({ sub }))}`).error(viewer)).toMatchObject({
      status: 401,
      message: expect.stringContaining("subject-claim=oid") as unknown,
    });
  });

  it("tells users apart by the claim that it names", async () => {
    const tokenOf = (oid: unknown) =>
      sign(claims({ iss: b2c, sub: "Not supported currently. Use oid claim.", oid, acs: undefined }));
    const identityOf = async (oid: string) =>
      (
        await client(`Bearer ${await tokenOf(oid)}`).data<
          { issueToken: { identity: { id: string }; accessToken: { token: string } } },
          object
        >("mutation { issueToken(input: { scopes: [CHAT] }) { identity { id } accessToken { token } } }")
      ).issueToken;
    const [first, second] = [await identityOf("alice"), await identityOf("bob")];
    expect(second.identity).not.toEqual(first.identity);
    expect(second.accessToken).not.toEqual(first.accessToken);
    expect(await identityOf("alice")).toEqual(first);
    for (const oid of [undefined, "", 7, ["alice"], "undefined"]) {
      expect((await client(`Bearer ${await tokenOf(oid)}`).send(viewer)).status).toBe(401);
    }
  });
});

describe("an issuer that names an identity of another issuer's user", () => {
  const issue = (input = "") =>
    `mutation { issueToken(input: { ${input} scopes: [CHAT_JOIN_LIMITED] }) { identity { id } accessToken { source } } }`;
  interface Issued {
    readonly issueToken: {
      readonly identity: { readonly id: string };
      readonly accessToken: { readonly source: string };
    };
  }

  it.each([
    ["their own", {}, ""],
    ["one of their devices", {}, 'device: "phone"'],
    ["a guest's", { role: "guest" }, ""],
  ])("is refused everything: %s", async (_what, more, input) => {
    const owner = client(
      `Bearer ${await sign(claims({ iss: other, aud: "other", acs: undefined, ...more }))}`,
    );
    const { identity } = (await owner.data<Issued, object>(issue(input))).issueToken;
    const thief = `Bearer ${await sign(claims({ acs: identity.id }))}`;
    for (const document of [
      issue(),
      issue(`identityId: "${identity.id}"`),
      "mutation { revokeTokens(input: {}) { identity { id } } }",
      `mutation { revokeTokens(input: { identityId: "${identity.id}" }) { identity { id } } }`,
      "mutation { deleteIdentity(input: {}) { deletedId } }",
      `{ identity(id: "${identity.id}") { cachedTokens { scopes } } }`,
      "{ viewer { identity { id } } }",
      "{ viewer { identities { identity { id } } } }",
    ]) {
      const { errors } = await client(thief).send(document);
      expect([document, errors?.map(({ extensions }) => extensions.code)]).toEqual([document, ["FORBIDDEN"]]);
    }
    const subscription = "subscription { tokenRevoked { cause } }";
    await using stream = await openStream(world.client.url, { authorization: thief }, subscription);
    expect((await stream.next())?.errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    // Nothing was revoked.
    const { accessToken } = (await owner.data<Issued, object>(issue(input))).issueToken;
    expect(accessToken.source).toBe("CACHE");
  });

  it("has its own users' identities, and those that are nobody's", async () => {
    const create = "mutation { createIdentity { identity { id } } }";
    const made = await world.client.data<{ createIdentity: { identity: { id: string } } }, object>(create);
    const user = client(`Bearer ${await sign(claims({ acs: made.createIdentity.identity.id }))}`);
    expect(await user.data(issue())).toMatchObject({ issueToken: made.createIdentity });
  });
});

describe("a key that the issuer has removed", () => {
  afterEach(async () => {
    // The key is back, and has been found.
    if (!jwks.some(({ kid }) => kid === "ES256")) jwks.push(removed);
    world.clock.advanceBy({ minutes: 11 });
    expect((await client(`Bearer ${await sign(claims())}`).send(viewer)).status).toBe(200);
  });
  let removed: JWK;
  const remove = () => {
    const index = jwks.findIndex(({ kid }) => kid === "ES256");
    [removed] = jwks.splice(index, 1) as [JWK];
  };
  const refused = { status: 401, message: "The access token is not valid: its issuer has no such key." };

  it.each([
    ["a token that was verified before", true, 11],
    ["a token that was never seen", false, 11],
    ["hours without a request", true, 5 * 60],
  ])("verifies nothing after the maximum age of the keys: %s", async (_what, seen, minutes) => {
    const token = await sign(claims({ exp: seconds() + 86_400 }));
    expect((await client(`Bearer ${seen ? token : await sign(claims())}`).send(viewer)).status).toBe(200);
    remove();
    world.clock.advanceBy({ minutes });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => client(`Bearer ${token}`).error(viewer)),
    );
    for (const answer of answers) expect(answer).toMatchObject(refused);
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
