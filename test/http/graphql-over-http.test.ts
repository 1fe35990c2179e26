/** Proves that the HTTP room keeps the GraphQL over HTTP specification. */
import { describe, expect, it } from "@jest/globals";
import { auditGraphqlOverHttp } from "../support/graphql-over-http-audits";
import { answerOf, plainError, SmallWorld } from "./http-world";

describe("GraphQL over HTTP", () => {
  it("passes all 61 audits of graphql-http, recommendations included", async () => {
    await using world = await SmallWorld.start();
    const outcome = await auditGraphqlOverHttp({ url: `${world.url}/graphql` });
    expect(outcome).toEqual({ total: 61, notOk: [] });
  });
});
