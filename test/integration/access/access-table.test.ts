/** The table of docs/access.md, cell by cell, against a running gateway. */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { hashApiKey } from "../../../src/services/access/api-key";
import { allRights, type Right } from "../../../src/services/access/rights";
import { openStream } from "../../support/event-stream";
import { makeDirectoryFolder, type DirectoryFolder } from "../../support/directory-folder";
import { GraphqlClient, type GraphqlAnswer } from "../../support/graphql-client";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { startWorld, type RunningGateway, type World } from "../../support/world";

const clientId = "11111111-1111-4111-8111-111111111111";
const objectIds = {
  user: "22222222-2222-4222-8222-222222222222",
  guest: "33333333-3333-4333-8333-333333333333",
};

/** A document for an identity; without one, for the caller's own. */
type Operation = (target: string | undefined, who: Who) => string | Promise<string>;
type Who = "user" | "guest" | "service" | "nobody";

const identityArgument = (target: string | undefined) =>
  target === undefined ? "" : `identityId: "${target}"`;
const issue = (scope: string): Operation => {
  return (target) =>
    `mutation { issueToken(input: { ${identityArgument(target)} scopes: [${scope}] }) { identity { id } } }`;
};
const exchange: Operation = async (target, who) => {
  const own = who === "guest" ? objectIds.guest : objectIds.user;
  const userObjectId = target === undefined ? own : "44444444-4444-4444-8444-444444444444";
  return `mutation { exchangeTeamsToken(input: { teamsUserAadToken: "${await world.emulator.entra.teamsToken({ clientId, userObjectId })}", clientId: "${clientId}", userObjectId: "${userObjectId}" }) { accessToken { source } } }`;
};

const operations: Readonly<Record<string, Operation>> = {
  viewer: () => "{ viewer { name kind scopes rights } }",
  "viewer.identity": () => "{ viewer { identity { id } } }",
  "viewer.identities": () => "{ viewer { identities { device identity { id } } } }",
  identity: (target) => `{ identity(id: "${target ?? ownId}") { id } }`,
  "Identity.cachedTokens": (target) =>
    `{ _entities(representations: [{ __typename: "Identity", id: "${target ?? ownId}" }]) { ... on Identity { cachedTokens { scopes } } } }`,
  createIdentity: () => "mutation { createIdentity { identity { id } } }",
  "createIdentity with scopes": () =>
    "mutation { createIdentity(input: { scopes: [CHAT_JOIN_LIMITED] }) { identity { id } } }",
  "issueToken, a guest's scopes": issue("CHAT_JOIN_LIMITED, VOIP_JOIN"),
  "issueToken, all scopes": issue("CHAT, VOIP"),
  revokeTokens: (target) =>
    `mutation { revokeTokens(input: { ${identityArgument(target)} }) { identity { id } } }`,
  deleteIdentity: (target) =>
    `mutation { deleteIdentity(input: { ${identityArgument(target)} }) { deletedId } }`,
  tokenRevoked: (target) =>
    `subscription { tokenRevoked${target === undefined ? "" : `(${identityArgument(target)})`} { cause } }`,
  exchangeTeamsToken: exchange,
  "_service.sdl": () => "{ _service { sdl } }",
};

const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "access.md"), "utf8");
const rows = [...page.matchAll(/^\| `([^`]+)`(.*?) +\|(.+)\|$/gm)]
  .filter(([line]) => line.split("|").length === 11)
  .map(([, name = "", rest = "", cells = ""]) => ({
    name: `${name}${rest}`.trim(),
    cells: cells.split("|").map((cell) => cell.trim().replaceAll("`", "")),
  }));

const columns = [
  ["nobody", "nobody", undefined],
  ["a user, his own", "user", "own"],
  ["a user, another's", "user", "another's"],
  ["a guest, his own", "guest", "own"],
  ["a guest, another's", "guest", "another's"],
  ["a service without the right", "without", "another's"],
  ["a service with the right", "with", "another's"],
] as const;

let world: World;
let gateway: RunningGateway;
let production: RunningGateway;
let issuer: Issuer;
let directory: DirectoryFolder;
let ownId = "";
const keys = new Map<string, string>();
const name = (kind: "with" | "without", given: readonly Right[]) =>
  `${kind}-${given.join("-").replaceAll(":", ".")}`;

beforeAll(async () => {
  issuer = await startIssuer();
  directory = await makeDirectoryFolder();
  const rightsOf = rows.map(({ cells }) => rightsIn(cells[7]!));
  const entries = rightsOf
    .filter((given) => given.length > 0)
    .flatMap((given) => {
      const others = allRights.filter((right) => !given.includes(right));
      return [entry(name("with", given), given), entry(name("without", given), others)];
    });
  const [primaryKey = "", secondaryKey = ""] = [1, 2].map((byte) =>
    Buffer.alloc(64, byte).toString("base64"),
  );
  const common = {
    API_KEYS: [...new Set(entries)].join(", "),
    OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} guests=role:guest`,
    CALLER_ISSUANCES_PER_MINUTE: "1000",
    ADDRESS_ISSUANCES_PER_MINUTE: "1000",
  };
  // Production refuses the keys that the emulator publishes, and http.
  world = await startWorld({
    environment: { ...common, DIRECTORY_PATH: directory.path },
    emulator: { resources: [{ id: randomUUID(), primaryKey, secondaryKey }], tls: true },
  });
  gateway = world.gateways[0]!;
  production = await world.addGateway({
    ...common,
    NODE_ENV: "production",
    ACS_CONNECTION_STRING: world.emulator.https?.connectionString,
    DEVELOPMENT_API_KEY: "",
    DIRECTORY_PATH: "",
    AUDIT_LOG: "off",
    // Its directory would be the other's.
    OIDC_ISSUERS: `${common.OIDC_ISSUERS} identity-claim=acs`,
  });
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

function entry(called: string, given: readonly Right[]): string {
  const key = keys.get(called) ?? randomBytes(16).toString("hex");
  keys.set(called, key);
  return `${called}:${hashApiKey(key).toString("hex")} rights=${given.join("+")}`;
}

const rightsIn = (cell: string) => allRights.filter((right) => cell.includes(right));

it("has every operation of the API, and no other", () => {
  expect(rows.map((row) => row.name).sort()).toEqual(Object.keys(operations).sort());
});

describe.each(columns)("%s", (title, who, whose) => {
  const column = columns.findIndex(([each]) => each === title);
  it.each(rows.map((row) => [row.name, row.cells[column]!, row.cells[7]!] as const))(
    "%s: %s",
    async (operation, expected, right) => {
      if (expected === "–") return;
      const given = rightsIn(right);
      const service = who === "with" || who === "without";
      const client = await clientFor(who, given);
      const user = await userClient("user", `somebody ${randomBytes(6).toString("hex")}`);
      const theirs = (await user.data<Viewer, object>("{ viewer { identity { id } } }")).viewer.identity.id;
      ownId = theirs;
      if (who === "user" || who === "guest")
        ownId = (await client.data<Viewer, object>("{ viewer { identity { id } } }")).viewer.identity.id;
      const kind = service ? "service" : who;
      const target = whose === "another's" ? theirs : undefined;
      const document = await operations[operation]!(target, kind);
      // The schema's text is guarded in production alone.
      const inProduction = operation === "_service.sdl";
      const asked = inProduction ? client.at(production.url) : client;
      const { data, errors } = document.startsWith("subscription")
        ? await opening(asked, document)
        : await asked.send(document);
      if (expected === "yes") {
        expect(errors).toBeUndefined();
        expect(data).toBeDefined();
      } else {
        expect(errors?.map(({ extensions }) => extensions.code)).toEqual([expected]);
        expect(JSON.stringify(data ?? {})).not.toMatch(/8:acs|eyJ/);
      }
    },
  );
});

describe("says nothing of somebody else's identity", () => {
  const ask = (operation: string, id: string) => operations[operation]!(id, "user");
  it.each(["identity", "issueToken, all scopes", "revokeTokens", "deleteIdentity", "Identity.cachedTokens"])(
    "%s answers alike whether it exists, existed or never did",
    async (operation) => {
      const client = await userClient("user", "curious");
      const other = await userClient("user", "careless");
      const alive = (await other.data<Viewer, object>("{ viewer { identity { id } } }")).viewer.identity.id;
      const never = alive.replace(/_.*/, "_00000000-0000-0000-0000-000000000000");
      const elsewhere = alive.replace(/acs:[^_]*/, "acs:00000000-0000-4000-8000-000000000000");
      const answers = await Promise.all(
        [alive, never, elsewhere].map(async (id) => {
          const { status, errors, data } = await client.send(await ask(operation, id));
          return { status, errors, data };
        }),
      );
      expect(answers[0]!.errors?.[0]?.extensions.code).toBe("FORBIDDEN");
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[2]).toEqual(answers[0]);
    },
  );
});

interface Viewer {
  readonly viewer: { readonly identity: { readonly id: string } };
}

async function clientFor(who: (typeof columns)[number][1], given: readonly Right[]): Promise<GraphqlClient> {
  const { url } = gateway;
  if (who === "nobody") return new GraphqlClient(url);
  if (who === "user" || who === "guest") return userClient(who, `${who} ${randomBytes(6).toString("hex")}`);
  // Where no right is named, any service is as good as another.
  const called = given.length > 0 ? name(who, given) : [...keys.keys()][0]!;
  return new GraphqlClient(url, { "x-api-key": keys.get(called)! });
}

async function userClient(kind: "user" | "guest", subject: string): Promise<GraphqlClient> {
  const token = await issuer.token(subject, { role: kind, oid: objectIds[kind] });
  return new GraphqlClient(gateway.url, { authorization: `Bearer ${token}` });
}

/** Whether a stream opens: it does when nothing comes but its beginning. */
async function opening(
  client: GraphqlClient,
  document: string,
): Promise<Pick<GraphqlAnswer<object>, "data" | "errors">> {
  await using stream = await openStream<object>(client.url, client.headers, document);
  return stream.begun
    ? { data: {}, errors: undefined }
    : { data: null, errors: (await stream.next())?.errors };
}
