/** The gateway as a subgraph beside another, behind the routers that people use. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ClosingList } from "../../../src/closing-list";
import { withoutAccessDirectives } from "../../../src/schema/access-directives";
import { openStream } from "../../support/event-stream";
import { GraphqlClient } from "../../support/graphql-client";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { startTcpProxy } from "../../support/tcp-proxy";
import { until } from "../../support/until";
import { encryptionKeys, startWorld, type World } from "../../support/world";
import { startRedis } from "../../support/redis-server";
import { startProcess } from "./processes";
import { describeSubgraph, type Subgraph } from "./subgraph";

const count = 20;
const profiles = "{ profiles { name identity { id cachedTokens { scopes } } } }";

interface Profiles {
  readonly profiles: readonly {
    readonly name: string;
    readonly identity: { readonly id: string; readonly cachedTokens: readonly { scopes: string[] }[] } | null;
  }[];
}

const running = new ClosingList();
let issuer: Issuer;
let world: World;
let pieces: string[] = [];
let subgraphs: readonly Subgraph[];
let identityIds: readonly string[];

/** What a caller sends: a user's access token, or that of a service that signs in at the issuer and has these rights. */
async function headersOf(subject: string, ...rights: readonly string[]) {
  return { authorization: `Bearer ${await issuer.token(subject, { scope: rights.join(" ") })}` };
}

beforeAll(async () => {
  issuer = running.add(await startIssuer());
  const redis = running.add(await startRedis());
  const proxy = running.add(await startTcpProxy(redis.port));
  proxy.onPiece = (piece) => pieces.push(piece.toString("latin1"));
  const folder = await mkdtemp(join(tmpdir(), "acs-token-gateway-supergraph-"));
  running.add({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
  world = running.add(
    await startWorld({
      environment: {
        REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
        // Whose register of gateways would be among the scripts that are counted.
        STATUS_PAGE: "false",
        TOKEN_ENCRYPTION_KEYS: encryptionKeys,
        DIRECTORY_PATH: folder,
        OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} rights=identity:read:any`,
      },
    }),
  );
  const ada = new GraphqlClient(world.client.url, await headersOf("ada"));
  const { viewer } = await ada.data<{ viewer: { identity: { id: string } } }, object>(
    "{ viewer { identity { id } } }",
  );
  const others = Array.from({ length: count - 1 }, async () => {
    const { createIdentity } = await world.client.data<
      { createIdentity: { identity: { id: string } } },
      object
    >("mutation { createIdentity(input: { scopes: [CHAT] }) { identity { id } } }");
    return createIdentity.identity.id;
  });
  identityIds = [viewer.identity.id, ...(await Promise.all(others))];
  const profiles = running.add(
    await startProcess(join(__dirname, "profiles.mjs"), [JSON.stringify(identityIds)]),
  );
  subgraphs = await Promise.all([
    describeSubgraph("tokens", world.client.url),
    describeSubgraph("profiles", String(profiles.told)),
  ]);
}, 60_000);
afterAll(() => running[Symbol.asyncDispose]());

/** A router, which composes them. */
const start = async (program: string, described = subgraphs) =>
  running.add(await startProcess(join(__dirname, program), [JSON.stringify(described)]));

/** For a router that knows nothing of the directives that say who may call what. */
const withoutDirectives = () =>
  subgraphs.map((each) => ({ ...each, sdl: withoutAccessDirectives(each.sdl) }));

describe.each([
  ["@apollo/gateway", "compatibility/apollo-gateway.mjs", withoutDirectives],
  ["Hive Gateway", "routers/hive.mjs", () => subgraphs],
])("behind %s", (_router, program, described) => {
  let url: string;
  beforeAll(async () => {
    const { told } = await start(program, described());
    const { hints } = told as { hints: string[] };
    ({ url } = told as { url: string });
    expect(hints).toEqual([]);
  }, 30_000);
  const clientOf = async (subject: string, ...rights: readonly string[]) =>
    new GraphqlClient(url, await headersOf(subject, ...rights));

  it("answers for a list of entities at the cost of one Redis round trip", async () => {
    const client = await clientOf("backend", "identity:read:any");
    await client.data<Profiles, object>(profiles);
    pieces = [];
    const answer = await client.data<Profiles, object>(profiles);
    expect(answer.profiles.map(({ identity }) => identity?.id)).toEqual(identityIds);
    const [, ...others] = answer.profiles.map(({ identity }) => identity?.cachedTokens.length);
    expect(others).toEqual(Array.from({ length: count - 1 }, () => 1));
    const withScripts = pieces.filter((piece) => /evalsha/i.test(piece));
    expect(withScripts).toHaveLength(1);
    expect(withScripts[0]?.match(/evalsha/gi)).toHaveLength(count);
  });

  it("lets each see what is his", async () => {
    const client = await clientOf("ada");
    const { data, errors } = await client.send<Profiles>(profiles);
    expect(data?.profiles.map(({ identity }) => identity?.id)).toEqual([
      identityIds[0],
      ...Array.from({ length: count - 1 }, () => undefined),
    ]);
    expect(errors).toHaveLength(count - 1);
    expect(new Set(errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(["FORBIDDEN"]));
  });

  it("knows nobody who does not say who he is", async () => {
    const { errors } = await new GraphqlClient(url).send("{ viewer { name } }");
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["UNAUTHENTICATED"]);
  });

  it("issues a token, and the other subgraph adds what it knows of the identity", async () => {
    const client = await clientOf("ada");
    const issue =
      "mutation { issueToken(input: { scopes: [CHAT] }) { identity { id profile { name } } accessToken { token source } } }";
    const { issueToken } = await client.data<
      { issueToken: { identity: object; accessToken: { token: string } } },
      object
    >(issue);
    expect(issueToken.identity).toEqual({ id: identityIds[0], profile: { name: "user 0" } });
    expect(issueToken.accessToken.token).toMatch(/^eyJ/);
  });

  it("passes on what is wrong, with its code and data", async () => {
    const client = await clientOf("ada");
    const { errors } = await client.send(
      "mutation { issueToken(input: { scopes: [CHAT], expiresInMinutes: 5 }) { accessToken { source } } }",
    );
    expect(errors).toHaveLength(1);
    expect(errors?.[0]?.extensions).toMatchObject({
      code: "BAD_USER_INPUT",
      argument: "input.expiresInMinutes",
    });
  });
});

it("streams revocations through Hive Gateway", async () => {
  const { url } = (await start("routers/hive.mjs")).told as { url: string };
  const headers = await headersOf("ada");
  await using stream = await openStream<{ tokenRevoked: object }>(
    url,
    headers,
    "subscription { tokenRevoked { cause identity { profile { name } } } }",
  );
  const told = stream.next();
  await until(async () => {
    await new GraphqlClient(world.client.url, headers).data(
      "mutation { revokeTokens(input: {}) { effectiveBy } }",
    );
    return Promise.race([
      told.then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 50, false)),
    ]);
  });
  expect((await told)?.data).toEqual({
    tokenRevoked: { cause: "REVOKED", identity: { profile: { name: "user 0" } } },
  });
});

it("is composed by WunderGraph Cosmo, who knows what needs a caller and what needs a scope", async () => {
  const { told } = await start("routers/cosmo.mjs");
  const { schema, fields, warnings, errors } = told as {
    schema: string;
    fields: {
      typeName: string;
      fieldName: string;
      requiresAuthentication?: boolean;
      requiredScopes?: string[][];
    }[];
    warnings: string[];
    errors: string[];
  };
  expect(errors).toEqual([]);
  expect(warnings).toEqual([]);
  expect(schema).toContain("cachedTokens: [CachedToken!]!");
  const field = (typeName: string, fieldName: string) =>
    fields.find((each) => each.typeName === typeName && each.fieldName === fieldName);
  expect(field("Mutation", "issueToken")?.requiresAuthentication).toBe(true);
  expect(field("Mutation", "createIdentity")?.requiredScopes).toEqual([["identity:create"]]);
});

it("is refused by @apollo/gateway with the directives that it does not know, which is why they can be left out", async () => {
  await expect(start("compatibility/apollo-gateway.mjs")).rejects.toThrow(
    /requiresScopes.* is for: SECURITY but is unsupported/,
  );
  const sdl = withoutDirectives()[0]!.sdl;
  expect(sdl).toContain("@cost");
  expect(sdl).not.toMatch(/authenticated|requiresScopes/);
});
