/** Bad input gets one clear error, with its code and the argument at fault, before Azure is asked. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { CreateIdentityDocument } from "../../../operations/generated/operations";
import { startWorld, type World } from "../../support/world";

let world: World;
let id: string;
beforeAll(async () => {
  world = await startWorld();
  id = (await world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const issue = `mutation ($input: IssueTokenInput!) { issueToken(input: $input) { accessToken { token } } }`;
const create = `mutation ($input: CreateIdentityInput) { createIdentity(input: $input) { identity { id } } }`;
const foreign = "8:acs:11111111-2222-4333-8444-555555555555_00000000-0000-0000-0000-000000000000";

it.each([
  [
    "59 minutes",
    issue,
    { scopes: ["CHAT"], expiresInMinutes: 59 },
    "input.expiresInMinutes",
    "from 60 to 1440, got 59",
  ],
  [
    "1441 minutes",
    issue,
    { scopes: ["CHAT"], expiresInMinutes: 1441 },
    "input.expiresInMinutes",
    "from 60 to 1440",
  ],
  ["no scopes", issue, { scopes: [] }, "input.scopes", "at least one scope"],
  [
    "an id that is none",
    issue,
    { scopes: ["CHAT"], identityId: "me" },
    "input.identityId",
    "8:acs:<resource id>_<user id>",
  ],
  [
    "an empty id",
    issue,
    { scopes: ["CHAT"], identityId: "" },
    "input.identityId",
    "8:acs:<resource id>_<user id>",
  ],
  [
    "an id with a path in it",
    issue,
    { scopes: ["CHAT"], identityId: "8:acs:../../x" },
    "input.identityId",
    "8:acs:",
  ],
  [
    "no id at all",
    issue,
    { scopes: ["CHAT"], identityId: null },
    "input.identityId",
    "identityId is required",
  ],
  ["an identity with no scopes", create, { scopes: [] }, "input.scopes", "at least one scope"],
  [
    "an identity with 59 minutes",
    create,
    { scopes: ["CHAT"], expiresInMinutes: 59 },
    "input.expiresInMinutes",
    "60",
  ],
  [
    "a lifetime without a token",
    create,
    { expiresInMinutes: 60 },
    "input.expiresInMinutes",
    "name the token's scopes",
  ],
  [
    "revoking for no id",
    `mutation ($input: RevokeTokensInput!) { revokeTokens(input: $input) { effectiveBy } }`,
    { identityId: "x" },
    "input.identityId",
    "8:acs:",
  ],
  [
    "deleting no id",
    `mutation ($input: DeleteIdentityInput!) { deleteIdentity(input: $input) { deletedId } }`,
    { identityId: "x" },
    "input.identityId",
    "8:acs:",
  ],
])("refuses %s", async (_what, document, input, argument, text) => {
  const before = world.emulator.counts.snapshot().operations;
  const withId = document === issue && !("identityId" in input) ? { identityId: id, ...input } : input;
  const error = await world.client.error(document, { input: withId });
  expect(error.extensions).toEqual({ code: "BAD_USER_INPUT", argument });
  expect(error.message).toContain(text);
  expect(error.status).toBe(400);
  expect(world.emulator.counts.snapshot().operations).toEqual(before);
});

it("refuses scopes and fields that the schema does not have, naming where they stand", async () => {
  const error = await world.client.error(issue, { input: { identityId: id, scopes: ["CHAT", "PHONE"] } });
  expect(error.extensions.code).toBe("BAD_USER_INPUT");
  expect(error.message).toContain("input.scopes[1]");
  const literal = await world.client.error(
    `mutation { issueToken(input: {scopes: [PHONE]}) { accessToken { token } } }`,
  );
  expect(literal.extensions.code).toBe("GRAPHQL_VALIDATION_FAILED");
  expect(literal.message).toContain('"PHONE" does not exist in "TokenScope"');
  const unknown = await world.client.error(`query { tokens }`);
  expect(unknown.extensions.code).toBe("GRAPHQL_VALIDATION_FAILED");
  const broken = await world.client.error(`query {`);
  expect(broken.extensions.code).toBe("GRAPHQL_PARSE_FAILED");
});

it.each([
  ["a subscription", "subscription { x }", {}, "GRAPHQL_VALIDATION_FAILED"],
  [
    "sixty wrong scopes",
    issue,
    { input: { scopes: Array.from({ length: 60 }, () => "PHONE") } },
    "BAD_USER_INPUT",
  ],
  ...[
    { __typename: "Identity", id: { a: 1 } },
    { __typename: "Identity" },
    { __typename: "Query" },
    {},
    "x",
  ].map((reference): [string, string, object, string] => [
    `the reference ${JSON.stringify(reference)}`,
    `query ($of: [_Any!]!) { _entities(representations: $of) { ... on Identity { id } } }`,
    { of: [reference] },
    "BAD_USER_INPUT",
  ]),
])("takes %s for the caller's fault, not for its own", async (_what, document, variables, code) => {
  const { status, errors } = await world.client.send(document, variables);
  expect(status).toBe(400);
  expect(new Set(errors?.map(({ extensions }) => extensions.code))).toEqual(new Set([code]));
  expect(world.events.lines.join()).not.toContain("internal error");
});

it("answers the good references of a batch with a bad one in it", async () => {
  const of = [id, "me"].map((each) => ({ __typename: "Identity", id: each }));
  const { data, errors } = await world.client.send(
    `query ($of: [_Any!]!) { _entities(representations: $of) { ... on Identity { id } } }`,
    { of },
  );
  expect(data).toEqual({ _entities: [{ id }, null] });
  expect(errors).toMatchObject([{ path: ["_entities", 1], extensions: { code: "BAD_USER_INPUT" } }]);
});

it("refuses the identity of another resource before Azure is asked, once the resource is known", async () => {
  const before = world.emulator.counts.snapshot().operations;
  const error = await world.client.error(issue, { input: { identityId: foreign, scopes: ["CHAT"] } });
  expect(error).toMatchObject({
    status: 404,
    extensions: { code: "IDENTITY_NOT_FOUND", argument: "input.identityId" },
  });
  expect(world.emulator.counts.snapshot().operations).toEqual(before);
});

it("says the same of another resource's identity when only Azure can know", async () => {
  const gateway = await world.addGateway();
  const error = await gateway.client.error(issue, { input: { identityId: foreign, scopes: ["CHAT"] } });
  expect(error).toMatchObject({
    status: 404,
    extensions: { code: "IDENTITY_NOT_FOUND", argument: "input.identityId" },
  });
});

it("knows its resource from the start when told", async () => {
  const gateway = await world.addGateway({ ACS_RESOURCE_ID: world.emulator.resourceId.toUpperCase() });
  const before = world.emulator.counts.snapshot().operations;
  const error = await gateway.client.error(issue, { input: { identityId: foreign, scopes: ["CHAT"] } });
  expect(error.extensions.code).toBe("IDENTITY_NOT_FOUND");
  expect(world.emulator.counts.snapshot().operations).toEqual(before);
});
