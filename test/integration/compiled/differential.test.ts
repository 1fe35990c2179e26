/** What is answered past Apollo Server is, byte for byte, what Apollo Server would have answered. */
import { ApolloServer } from "@apollo/server";
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { CreateIdentityDocument, DeleteIdentityDocument } from "../../../operations/generated/operations";
import fc from "fast-check";
import { randomBody } from "./random-requests";
import { compilable, others, type Identities } from "./corpus";
import { startTwoWays, type Received, type Sent, type TwoWays } from "./two-ways";

let ways: TwoWays;
let identities: Identities;

beforeAll(async () => {
  ways = await startTwoWays({ CORS_ORIGINS: "https://app.example" });
  const make = async () => (await ways.world.client.data(CreateIdentityDocument)).createIdentity.identity.id;
  const [living, gone] = [await make(), await make()];
  await ways.world.client.data(DeleteIdentityDocument, { identityId: gone });
  identities = {
    living,
    gone,
    foreign: living.replace(/8:acs:[^_]*/, "8:acs:11111111-1111-4111-8111-111111111111"),
  };
}, 60_000);
afterAll(async () => {
  await ways[Symbol.asyncDispose]();
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Answers of both to the same request, from somebody who may do it, as often as asked for: of ten bodies one is remembered. */
async function both(sent: Sent, times = 10): Promise<{ plain: Received; compiled: Received[] }> {
  const request = { ...sent, headers: { ...ways.service, ...sent.headers } };
  // Whoever asks first has a token issued, and nobody after that.
  await ways.plain(request);
  const plain = await ways.plain(request);
  const compiled: Received[] = [];
  for (let time = 0; time < times; time++) compiled.push(await ways.compiled(request));
  return { plain, compiled };
}

it("answers every operation that it has compiled as Apollo Server does, without it", async () => {
  const executed = jest.spyOn(ApolloServer.prototype, "executeHTTPGraphQLRequest");
  for (const sent of compilable(identities)) {
    const { plain, compiled } = await both(sent);
    for (const answer of compiled)
      expect({ name: sent.name, ...answer }).toEqual({ name: sent.name, ...plain });
    expect(plain.status).toBe(200);
    executed.mockClear();
    await ways.compiled({ ...sent, headers: { ...ways.service, ...sent.headers } });
    expect(`${sent.name}: ${executed.mock.calls.length}`).toBe(`${sent.name}: 0`);
  }
});

it("answers whatever else comes as Apollo Server does", async () => {
  for (const sent of others(identities)) {
    const { plain, compiled } = await both(sent);
    for (const answer of compiled)
      expect({ name: sent.name, ...answer }).toEqual({ name: sent.name, ...plain });
  }
}, 60_000);

describe("callers", () => {
  const query =
    "mutation ($input: IssueTokenInput!) { issueToken(input: $input) { accessToken { token source } } }";
  const ask = (name: string, headers: Readonly<Record<string, string>>, identityId?: string): Sent => ({
    name,
    headers,
    body: { query, variables: { input: { identityId, scopes: ["CHAT"] } } },
  });

  it("are refused in the same words, whoever they are", async () => {
    const token = await ways.issuer.token("ada", { acs: identities.living });
    const bearer = { authorization: `Bearer ${token}` };
    for (const sent of [
      ask("nobody", {}, identities.living),
      ask("nobody, with an id that is none", {}, "x".repeat(50_000)),
      { name: "nobody, with wrong variables", body: { query, variables: { input: { more: 1 } } } },
      { name: "nobody, with no variables", body: { query } },
      ask("a wrong key", { "x-api-key": "wrong" }, identities.living),
      ask("a wrong token", { authorization: "Bearer x.y.z" }),
      ask("no bearer", { authorization: "Basic eDp5" }),
      ask("two credentials", { ...bearer, ...ways.service }),
      ask("herself", bearer),
      ask("herself by name", bearer, identities.living),
      ask("somebody else", bearer, identities.gone),
    ]) {
      // Compiled for somebody who may.
      await ways.compiled(ask("warm", ways.service, identities.living));
      await ways.plain(sent);
      const [plain, compiled] = [await ways.plain(sent), await ways.compiled(sent)];
      expect({ name: sent.name, ...compiled }).toEqual({ name: sent.name, ...plain });
    }
  });
});

it("hands out nothing while the audit cannot be written, in the same words", async () => {
  await using full = await startTwoWays({ AUDIT_LOG: "/dev/full" });
  const create: Sent = {
    name: "a create, whose line nobody knows yet to fail",
    body: { query: "mutation { createIdentity { identity { id } } }" },
  };
  const statuses: (number | undefined)[] = [];
  for (const sent of [create, ...compilable(identities)]) {
    const request = { ...sent, headers: { ...full.service, ...sent.headers } };
    const [plain, compiled] = [await full.plain(request), await full.compiled(request)];
    expect({ name: sent.name, ...compiled }).toEqual({ name: sent.name, ...plain });
    if (compiled.text.includes("AUDIT_UNAVAILABLE")) statuses.push(compiled.status);
  }
  expect(statuses.length).toBeGreaterThan(3);
  expect(new Set(statuses)).toEqual(new Set([503]));
}, 60_000);

it("answers operations at random as Apollo Server does", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  const executed = jest.spyOn(ApolloServer.prototype, "executeHTTPGraphQLRequest");
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(
      randomBody([identities.living, identities.living, identities.living, identities.gone]),
      async (body) => {
        const { plain, compiled } = await both({ name: "at random", body }, 2);
        asked += 2;
        for (const answer of compiled) expect(answer).toEqual(plain);
      },
    ),
    { seed, numRuns: 100 },
  );
  // `both` asks Apollo Server twice for each without compiling: what is beyond that was asked of the one that compiles.
  const past = asked - (executed.mock.calls.length - asked);
  expect(past).toBeGreaterThan(5);
}, 60_000);

it("does what an operation asks for once, even when Apollo Server has to tell of it", async () => {
  const query = `mutation ($id: ID!) { a: createIdentity { identity { id } } b: issueToken(input: { identityId: $id, scopes: [CHAT] }) { accessToken { token } } }`;
  const sent = (id: string): Sent => ({
    name: "one that works and one that fails",
    headers: ways.service,
    body: { query, variables: { id } },
  });
  await ways.compiled(sent(identities.living));
  const before = ways.world.emulator.worked("createIdentity");
  const answer = await ways.compiled(sent(identities.gone));
  expect(answer.text).toContain("IDENTITY_NOT_FOUND");
  expect(ways.world.emulator.worked("createIdentity")).toBe(before + 1);
});
