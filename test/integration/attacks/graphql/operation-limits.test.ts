/** Operations made to be expensive are refused before any of them runs, and what people and tools send is not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { getIntrospectionQuery } from "graphql";
import { CreateIdentityAndTokenDocument } from "../../../../operations/generated/operations";
import { defaultOperationLimits as limits } from "../../../../src/schema/operation-limits";
import { developmentKey, startWorld, type World } from "../../../support/world";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(" ");
const create = (index: number) => `a${index}: createIdentity { identity { id } }`;
const nested = (levels: number, open: string) =>
  `${open} `.repeat(levels) + "__typename" + " }".repeat(levels);
const refused = (extensions: object) => ({ status: 400, extensions });

/** The identities that Azure made. */
const identities = () => world.emulator.identities.list();

describe("refuses", () => {
  it.each([
    ["nested deeper than its tokens allow", `{ ${nested(limits.maxTokens / 3, "... {")} }`],
    ["with an alias for each token", `{ ${times(limits.maxTokens / 3, (i) => `a${i}: __typename`)} }`],
    ["with directives without end", `{ __typename ${"@skip(if: false) ".repeat(limits.maxTokens / 5)} }`],
  ])("an operation %s", async (_case, query) => {
    const { errors, status } = await world.client.send(query);
    expect({ status, code: errors?.[0]?.extensions.code }).toEqual({
      status: 400,
      code: expect.stringMatching(/^GRAPHQL_(PARSE|VALIDATION)_FAILED$/),
    });
  });

  it("the whole schema a dozen times in one answer", async () => {
    const schema = (copies: number) =>
      `{ ${times(copies, (i) => `a${i}: __schema { types { fields { name } } }`)} }`;
    expect((await world.client.send(schema(12))).errors).toBeUndefined();
    expect(await world.client.error(schema(13))).toMatchObject(
      refused({ code: "OPERATION_TOO_COMPLEX", cost: 1_300, limit: limits.maxCost }),
    );
  });

  it("a document with too many tokens", async () => {
    const error = await world.client.error(`{ ${"__typename ".repeat(limits.maxTokens)} }`);
    expect(error).toMatchObject(refused({ code: "GRAPHQL_PARSE_FAILED" }));
  });

  it("the same field again and again", async () => {
    const error = await world.client.error(`{ ${"__typename ".repeat(limits.maxSelections + 1)} }`);
    expect(error).toMatchObject(refused({ code: "GRAPHQL_VALIDATION_FAILED" }));
  });

  it("fragments that double with each level", async () => {
    const levels = times(8, (i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`);
    const error = await world.client.error(`{ ...f0 } ${levels} fragment f8 on Query { viewer { name } }`);
    expect(error).toMatchObject(refused({ code: "GRAPHQL_VALIDATION_FAILED" }));
  });

  it("fragments that go in a circle", async () => {
    const error = await world.client.error(
      "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
    );
    expect(error).toMatchObject(refused({ code: "GRAPHQL_VALIDATION_FAILED" }));
  });

  it("introspection that goes in circles", async () => {
    const circle = "fields { type { ".repeat(5) + "name" + " } }".repeat(5);
    const error = await world.client.error(`{ __schema { types { ${circle} } } }`);
    expect(error).toMatchObject(refused({ code: "GRAPHQL_VALIDATION_FAILED" }));
  });

  it("unknown directives by the thousand in no more time than others", async () => {
    const { errors, status } = await world.client.send(`{ __typename ${times(400, (i) => `@d${i}`)} }`);
    expect(status).toBe(400);
    expect(errors?.every(({ extensions }) => extensions.code === "GRAPHQL_VALIDATION_FAILED")).toBe(true);
  });
});

describe("the cost of an operation", () => {
  it("lets eleven calls to Azure through and refuses twelve, without making the first", async () => {
    const before = identities().length;
    const { data, errors } = await world.client.send(`mutation { ${times(11, create)} }`);
    expect(errors).toBeUndefined();
    expect(Object.keys(data ?? {})).toHaveLength(11);
    expect(identities()).toHaveLength(before + 11);
    const error = await world.client.error(`mutation { ${times(12, create)} }`);
    expect(error).toMatchObject(refused({ code: "OPERATION_TOO_COMPLEX", cost: 12 * 101, limit: 1_200 }));
    expect(error.message).toContain("1212");
    expect(identities()).toHaveLength(before + 11);
  });

  it("counts what fragments bring, and not what is skipped", async () => {
    const fragments = `fragment some on Mutation { ${times(6, create)} } fragment more on Mutation { ${times(6, (i) => create(i + 6))} }`;
    const query = `mutation ($skip: Boolean!) { ...some ...more @skip(if: $skip) } ${fragments}`;
    // The document is the same each time, so a price that was kept from the first would be wrong.
    expect((await world.client.send(query, { skip: true })).errors).toBeUndefined();
    expect(await world.client.error(query, { skip: false })).toMatchObject(
      refused({ code: "OPERATION_TOO_COMPLEX", cost: 12 * 101 }),
    );
    expect((await world.client.send(query, { skip: true })).errors).toBeUndefined();
  });

  it("is that of the operation that was asked for, not of its neighbours", async () => {
    const query = `query Cheap { __typename } mutation Dear { ${times(12, create)} }`;
    const ask = async (operationName: string) => {
      const response = await fetch(world.client.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json",
          "x-api-key": developmentKey,
        },
        body: JSON.stringify({ query, operationName }),
      });
      return (await response.json()) as object;
    };
    expect(await ask("Cheap")).toEqual({ data: { __typename: "Query" } });
    expect(await ask("Dear")).toMatchObject({ errors: [{ extensions: { code: "OPERATION_TOO_COMPLEX" } }] });
    expect(await ask("Neither")).toMatchObject({
      errors: [{ extensions: { code: "OPERATION_RESOLUTION_FAILURE" } }],
    });
  });

  it("counts the entities that the variables ask for", async () => {
    const { createIdentity } = await world.client.data(CreateIdentityAndTokenDocument, { scopes: ["VOIP"] });
    const reference = { __typename: "Identity", id: createIdentity.identity.id };
    const query = `query ($of: [_Any!]!) { _entities(representations: $of) { ... on Identity { id cachedTokens { scopes } } } }`;
    const ask = (count: number) => world.client.send(query, { of: Array(count).fill(reference) });
    for (const count of [1, 100]) {
      const { data, errors } = await ask(count);
      expect(errors).toBeUndefined();
      expect((data?._entities as unknown[]).length).toBe(count);
    }
    const { errors } = await ask(150);
    // 10 is the size that cachedTokens is taken to have, 1 the entity itself.
    expect(errors).toMatchObject([{ extensions: { code: "OPERATION_TOO_COMPLEX", cost: 150 * 11 } }]);
  });

  it("is no way around the answer to variables that do not fit", async () => {
    const query = `mutation ($input: IssueTokenInput!) { issueToken(input: $input) { identity { id } } }`;
    expect(await world.client.error(query, { input: { scopes: "all" } })).toMatchObject({
      status: 400,
      extensions: { code: "BAD_USER_INPUT" },
    });
  });

  it("refuses what cannot be priced, instead of running it at no price", async () => {
    const before = identities().length;
    // Null is of the variable's type, and the argument takes none.
    const query = `mutation ($scope: TokenScope = CHAT) { broken: issueToken(input: { scopes: [$scope] }) { identity { id } } ${times(12, create)} }`;
    const { errors } = await world.client.send(query, { scope: null });
    expect(errors).toHaveLength(1);
    expect(errors?.[0]?.extensions.code).toMatch(/^(BAD_USER_INPUT|OPERATION_TOO_COMPLEX)$/);
    expect(identities()).toHaveLength(before);
  });
});

describe("lets through", () => {
  it("the introspection query of the usual tools, with everything that it can ask for", async () => {
    const all = { specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true };
    const query = getIntrospectionQuery({ ...all, inputValueDeprecation: true, oneOf: true });
    expect((await world.client.send(query)).errors).toBeUndefined();
  });

  it("the whole quickstart in one document", async () => {
    const query = readFileSync(join(__dirname, "../../../../operations/quickstart.graphql"), "utf8");
    const response = await fetch(world.client.url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "a-development-key-for-tests" },
      body: JSON.stringify({ query, operationName: "Viewer" }),
    });
    expect(await response.json()).toMatchObject({ data: { viewer: { kind: "SERVICE" } } });
  });
});
