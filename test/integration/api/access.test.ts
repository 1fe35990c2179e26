/** Who may call: nobody without a key, and a wrong key is told so. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { ViewerDocument } from "../../../operations/generated/operations";
import { hashApiKey } from "../../../src/services/access/api-key";
import { GraphqlClient } from "../../support/graphql-client";
import { developmentKey, startWorld, type World } from "../../support/world";

const serviceKey = randomBytes(32).toString("base64url");
let world: World;
beforeAll(async () => {
  world = await startWorld({
    environment: { API_KEYS: `backend:${hashApiKey(serviceKey).toString("hex")} rights=all` },
  });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const with_ = (headers: Record<string, string>) => new GraphqlClient(world.gateways[0]?.url ?? "", headers);
const operations = [
  `query { viewer { name } }`,
  `query { identity(id: "8:acs:0e0ac5e0-0000-4000-8000-00000000ac5e_x") { id } }`,
  `query { _entities(representations: [{__typename: "Identity", id: "8:acs:0e0ac5e0-0000-4000-8000-00000000ac5e_x"}]) { ... on Identity { cachedTokens { expiresOn } } } }`,
  ...[
    (entities: string) => `{ ${entities} }`,
    (entities: string) => `{ _service { sdl } ${entities} }`,
    (entities: string) => `{ __schema { queryType { name } } other: ${entities} }`,
    (entities: string) => `{ __typename ...all } fragment all on Query { ${entities} }`,
  ].map((of) =>
    of(
      `_entities(representations: [{__typename: "Identity", id: "8:acs:0e0ac5e0-0000-4000-8000-00000000ac5e_x"}]) { __typename ... on Identity { id } }`,
    ),
  ),
  `mutation { createIdentity { identity { id } } }`,
  `mutation { issueToken(input: {identityId: "x", scopes: [CHAT]}) { accessToken { token } } }`,
  `mutation { revokeTokens(input: {identityId: "x"}) { effectiveBy } }`,
  `mutation { deleteIdentity(input: {identityId: "x"}) { deletedId } }`,
  `mutation { exchangeTeamsToken(input: {teamsUserAadToken: "x", clientId: "x", userObjectId: "x"}) { accessToken { token } } }`,
];

it.each(operations)("refuses %s without a key", async (operation) => {
  const error = await with_({}).error(operation);
  expect(error).toMatchObject({ status: 401, extensions: { code: "UNAUTHENTICATED" } });
});

it.each(operations)("refuses %s with a wrong key", async (operation) => {
  const error = await with_({ "x-api-key": `${developmentKey}x` }).error(operation);
  expect(error).toMatchObject({ status: 401, extensions: { code: "UNAUTHENTICATED" } });
  expect(error.message).toBe("The API key in the header x-api-key is not valid, or has expired.");
});

it("knows each key by its name", async () => {
  expect((await with_({ "x-api-key": serviceKey }).data(ViewerDocument)).viewer).toEqual({
    name: "backend",
    kind: "SERVICE",
    identity: null,
  });
  expect((await world.client.data(ViewerDocument)).viewer.name).toBe("development");
});

it("refuses an Authorization header, which it could not verify, even beside a good key", async () => {
  const error = await with_({ "x-api-key": serviceKey, authorization: "Bearer x" }).error(ViewerDocument);
  expect(error).toMatchObject({ status: 401, extensions: { code: "UNAUTHENTICATED" } });
});

it("answers what needs no caller: the type name and the schema", async () => {
  expect((await with_({}).send(`{ __typename _service { sdl } }`)).status).toBe(200);
});
