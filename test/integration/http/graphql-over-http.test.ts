/** Proves that the HTTP room keeps the GraphQL over HTTP specification. */
import { describe, expect, it } from "@jest/globals";
import { ApolloServerPluginLandingPageLocalDefault } from "@apollo/server/plugin/landingPage/default";
import { GatewayError } from "../../../src/errors";
import { auditGraphqlOverHttp } from "../../support/graphql-over-http-audits";
import { answerOf, plainError, SmallWorld } from "./http-world";

const legacy = { accept: "application/json" };
const modern = { accept: "application/graphql-response+json" };
const field = (name: string) => ({ query: `{ field(name: "${name}") }` });
const required = (name: string) => ({ query: `{ required(name: "${name}") }` });

/** A world whose field `it` fails with the error. */
const failing = (error: unknown) =>
  SmallWorld.start({
    fields: {
      it: () => {
        throw error;
      },
    },
  });

describe("GraphQL over HTTP", () => {
  it("passes all 61 audits of graphql-http, recommendations included, without any extra header", async () => {
    await using world = await SmallWorld.start();
    const outcome = await auditGraphqlOverHttp({ url: `${world.url}/graphql` });
    expect(outcome).toEqual({ total: 61, notOk: [] });
  });

  it("answers in the media type that was asked for, and in application/json when none was", async () => {
    await using world = await SmallWorld.start();
    for (const [headers, type] of [
      [legacy, "application/json; charset=utf-8"],
      [modern, "application/graphql-response+json; charset=utf-8"],
      [{ accept: "*/*" }, "application/json; charset=utf-8"],
      [{}, "application/json; charset=utf-8"],
    ] as const) {
      const response = await world.post({ query: "{ hello }" }, headers);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(type);
      expect(await answerOf(response)).toEqual({ data: { hello: "world" } });
    }
  });

  it("answers 406 to a client that accepts neither media type", async () => {
    await using world = await SmallWorld.start();
    const response = await world.post({ query: "{ hello }" }, { accept: "image/png" });
    expect(response.status).toBe(406);
    expect((await answerOf(response)).errors?.[0]?.extensions.code).toBe("BAD_REQUEST");
  });

  it.each([
    ["syntax errors", "{", "GRAPHQL_PARSE_FAILED"],
    ["unknown fields", "{ nothing }", "GRAPHQL_VALIDATION_FAILED"],
    ["missing variables", "query ($t: String!) { echo(text: $t) }", "BAD_USER_INPUT"],
    ["ambiguous operations", "query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"],
  ])("answers %s with 400, and with 200 in application/json", async (_case, query, code) => {
    await using world = await SmallWorld.start();
    for (const [headers, status] of [
      [modern, 400],
      [legacy, 200],
    ] as const) {
      const response = await world.post({ query }, headers);
      expect(response.status).toBe(status);
      const answer = await answerOf(response);
      expect(answer.errors?.map((error) => error.extensions.code)).toEqual([code]);
      expect(answer).not.toHaveProperty("data");
    }
  });

  it.each([
    ["UNAUTHENTICATED", 401, 401],
    ["FORBIDDEN", 403, 403],
    ["RATE_LIMITED", 429, 429],
    ["INTERNAL_SERVER_ERROR", 500, 500],
    ["UPSTREAM_REJECTED", 502, 502],
    ["UPSTREAM_UNAVAILABLE", 503, 503],
    ["BAD_USER_INPUT", 400, 200],
    ["IDENTITY_NOT_FOUND", 404, 200],
    ["TOKEN_REVOKED_DURING_ISSUE", 409, 200],
  ] as const)(
    "gives an operation that failed with %s the status %d, in application/json %d",
    async (code, inModern, inLegacy) => {
      await using world = await failing(new GatewayError(code, "It failed."));
      for (const [headers, status] of [
        [modern, inModern],
        [legacy, inLegacy],
      ] as const) {
        const response = await world.post(required("it"), headers);
        expect(response.status).toBe(status);
        const answer = await answerOf(response);
        expect(answer.data).toBeNull();
        expect(answer.errors).toMatchObject([{ message: "It failed.", extensions: { code } }]);
      }
    },
  );

  it("answers 500 to a fault without a status of its own that left no data", async () => {
    await using world = await failing(new Error("Something broke."));
    for (const headers of [modern, legacy]) {
      expect((await world.post(required("it"), headers)).status).toBe(500);
    }
  });

  it("answers 200 when there is data beside the errors, whatever they ask for", async () => {
    await using world = await failing(new GatewayError("UNAUTHENTICATED", "Who are you?"));
    for (const headers of [modern, legacy]) {
      const response = await world.post({ query: `{ hello field(name: "it") }` }, headers);
      expect(response.status).toBe(200);
      const answer = await answerOf(response);
      expect(answer.data).toEqual({ hello: "world", field: null });
      expect(answer.errors).toHaveLength(1);
    }
  });

  it("is not misled by data that looks like errors", async () => {
    await using world = await SmallWorld.start();
    const text = '{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}';
    const response = await world.post({
      query: "query ($text: String!) { errors: echo(text: $text) }",
      variables: { text },
    });
    expect(response.status).toBe(200);
    expect(await answerOf(response)).toEqual({ data: { errors: text } });
  });

  it("sends Retry-After when an error knows how long to wait", async () => {
    await using world = await failing(
      new GatewayError("RATE_LIMITED", "Slow down.", { retryAfterSeconds: 7 }),
    );
    const response = await world.post(required("it"));
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("7");
    expect((await answerOf(response)).errors?.[0]?.extensions).toEqual({
      code: "RATE_LIMITED",
      retryAfterSeconds: 7,
    });
  });

  it("never shows extensions.http, not even one that Apollo Server does not understand", async () => {
    await using world = await failing(
      plainError("Odd.", { code: "ODD", http: { status: 418, headers: { "x-odd": "1" } } }),
    );
    for (const query of [field("it"), required("it")]) {
      const answer = await answerOf(await world.post(query));
      expect(answer.errors?.map((error) => error.extensions)).toEqual([{ code: "ODD" }]);
    }
  });

  it("passes an error thrown while the context is made with its own words, code and status", async () => {
    await using world = await SmallWorld.start({
      contextError: () => new GatewayError("UNAUTHENTICATED", "The API key is not valid."),
    });
    for (const headers of [modern, legacy]) {
      const response = await world.post({ query: "{ hello }" }, headers);
      expect(response.status).toBe(401);
      expect(await answerOf(response)).toEqual({
        errors: [{ message: "The API key is not valid.", extensions: { code: "UNAUTHENTICATED" } }],
      });
    }
  });

  it("answers queries over GET, with variables and operation name", async () => {
    await using world = await SmallWorld.start();
    const search = new URLSearchParams({
      query: "query A { hello } query B($t: String!) { echo(text: $t) }",
      operationName: "B",
      variables: JSON.stringify({ t: "über" }),
    });
    const response = await fetch(`${world.url}/graphql?${search.toString()}`);
    expect(response.status).toBe(200);
    expect(await answerOf(response)).toEqual({ data: { echo: "über" } });
  });

  it("refuses mutations over GET with 405, and says that POST is the way", async () => {
    await using world = await SmallWorld.start();
    for (const headers of [modern, legacy]) {
      const response = await fetch(`${world.url}/graphql?query=${encodeURIComponent("mutation { touch }")}`, {
        headers,
      });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("POST");
      expect((await answerOf(response)).errors?.[0]?.extensions.code).toBe("BAD_REQUEST");
    }
  });

  it.each([
    ["an origin", { origin: "https://evil.example" }],
    ["fetch metadata", { "sec-fetch-site": "cross-site" }],
    [
      "a browser's user agent",
      { "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0" },
    ],
    ["a referrer", { referer: "https://evil.example/" }],
    ["a cookie", { cookie: "a=b" }],
  ])(
    "refuses a GET with %s unless it carries a header that makes browsers ask first",
    async (_case, headers) => {
      await using world = await SmallWorld.start();
      const lines = Object.entries({ ...headers, host: "127.0.0.1", connection: "close" }).map((pair) =>
        pair.join(": "),
      );
      const target = "GET /graphql?query=%7Bhello%7D HTTP/1.1";
      const refused = await world.raw([target, ...lines, "", ""].join("\r\n"));
      expect(refused).toMatch(/^HTTP\/1\.1 400 /);
      expect(refused).toContain("Cross-Site Request Forgery");
      const accepted = await world.raw(
        [target, ...lines, "apollo-require-preflight: 1", "", ""].join("\r\n"),
      );
      expect(accepted).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  it("shows browsers the landing page, which no other site may frame", async () => {
    await using world = await SmallWorld.start({ plugins: [ApolloServerPluginLandingPageLocalDefault()] });
    const response = await fetch(`${world.url}/graphql`, {
      headers: { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    expect(response.headers.get("x-frame-options")).toBe("DENY");
    expect(await response.text()).toContain("<html");
  });
});
