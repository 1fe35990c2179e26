/** The public federation compatibility suite judges a subgraph that the gateway's own machinery has built. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ClosingList } from "../../../src/closing-list";
import { runSuite, type SuiteTest } from "./compatibility/suite";
import { startSupergraph } from "./compatibility/supergraph";
import { startProducts } from "./products/subgraph";

/** All of the suite's tests, under its own names: one that is missing, skipped or new is seen. */
const ofSubgraph = [
  "introspection",
  "ftv1",
  "@link",
  "@composeDirective",
  "@tag",
  "@provides",
  "@key single applies single field @key on User",
  "@key single resolves single field @key on User",
  "@key multiple applies multiple field @key on DeprecatedProduct",
  "@key multiple resolves multiple field @key on DeprecatedProduct",
  "@key composite applies composite object @key on ProductResearch",
  "@key composite resolves composite object @key on ProductResearch",
  "repeatable @key applies repeatable @key directive on Product",
  "repeatable @key resolves multiple @key directives on Product",
  "@inaccessible should return @inaccessible directives in _service sdl",
  "@inaccessible should be able to query @inaccessible fields via the products schema directly",
  "@shareable should return @shareable directives in _service sdl",
  "@override should return @override directives in _service sdl",
  "@interfaceObject verifies schema contains entity type marked as @interfaceObject",
];

/** Those that ask through the router: @apollo/gateway here, where the suite would start Apollo Router in Docker. */
const throughRouter = [
  "@requires",
  "@shareable should be able to resolve @shareable ProductDimension types",
  "@override should return overridden user name",
  "@interfaceObject verifies @interfaceObject entity returns new fields",
];

const world = new ClosingList();
const found = new Map<string, SuiteTest>();
let products: string;

beforeAll(async () => {
  ({ url: products } = world.add(await startProducts()));
  const { url: router } = world.add(await startSupergraph(products));
  for (const test of await runSuite(products, router)) found.set(test.fullName, test);
}, 90_000);
afterAll(() => world[Symbol.asyncDispose]());

describe("the public federation compatibility suite", () => {
  it("has run all of its tests, and none that is unknown here", () => {
    expect([...found.keys()].sort()).toEqual([...ofSubgraph, ...throughRouter].sort());
  });

  it.each(ofSubgraph)("passes on the subgraph: %s", (name) => {
    expect(found.get(name)).toMatchObject({ status: "passed", failureMessages: [] });
  });

  it.each(throughRouter)("passes through a router: %s", (name) => {
    expect(found.get(name)).toMatchObject({ status: "passed", failureMessages: [] });
  });
});

it("answers a reference to an entity that does not exist with null, and no error", async () => {
  const query = "query ($references: [_Any!]!) { _entities(representations: $references) { __typename } }";
  const references = [
    { __typename: "Product", id: "apollo-federation" },
    { __typename: "Product", id: "none" },
  ];
  const response = await fetch(products, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables: { references } }),
  });
  expect(await response.json()).toEqual({ data: { _entities: [{ __typename: "Product" }, null] } });
});
