/** The gateway as a subgraph beside another, behind the routers that people use. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { openStream } from "../../support/event-stream";
import { GraphqlClient } from "../../support/graphql-client";
import { until } from "../../support/until";
import { describeBehind } from "../smoke/behind-router.suite";
import { startTwoSubgraphs, withoutDirectives, type TwoSubgraphs } from "./two-subgraphs";

describeBehind("@apollo/gateway", "compatibility/apollo-gateway.mjs", withoutDirectives);

let two: TwoSubgraphs;
beforeAll(async () => {
  two = await startTwoSubgraphs();
}, 60_000);
afterAll(() => two.close());

it("streams revocations through Hive Gateway", async () => {
  const { url } = (await two.startRouter("routers/hive.mjs")).told as { url: string };
  const headers = await two.headersOf("ada");
  await using stream = await openStream<{ tokenRevoked: object }>(
    url,
    headers,
    "subscription { tokenRevoked { cause identity { profile { name } } } }",
  );
  const told = stream.next();
  await until(async () => {
    await new GraphqlClient(two.world.client.url, headers).data(
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
  const { told } = await two.startRouter("routers/cosmo.mjs");
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
  await expect(two.startRouter("compatibility/apollo-gateway.mjs")).rejects.toThrow(
    /requiresScopes.* is for: SECURITY but is unsupported/,
  );
  const sdl = withoutDirectives(two.subgraphs)[0]!.sdl;
  expect(sdl).toContain("@cost");
  expect(sdl).not.toMatch(/authenticated|requiresScopes/);
});
