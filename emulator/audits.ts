/**
 * The contract of ACS Identity as numbered checks. They need a connection string and nothing else, so they run against
 * the emulator in its tests, and against a real resource by whoever has one. An id never changes its meaning. Each check
 * deletes the identities that it makes, also when it fails.
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { AuditClient, type AuditAnswer } from "./audit-client";

/** One check. */
export interface Audit {
  readonly id: string;
  /** MUST: the official SDKs depend on it. SHOULD: it was recorded of the service. */
  readonly level: "MUST" | "SHOULD";
  readonly title: string;
  /** Rejects with an `AssertionError` that tells what was wrong. */
  readonly run: (connectionString: string) => Promise<void>;
}

const idPattern = /^8:acs:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_[0-9a-zA-Z-]+$/;
const expiryPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00$/;
const otherKey = Buffer.alloc(64, 7).toString("base64");
const minute = 60_000;

export const audits: readonly Audit[] = [
  must("ACSI-001", "creates an identity with 201 and its id", async (client) => {
    const answer = await client.send({ path: "/identities" });
    strictEqual(answer.status, 201);
    const { id } = answer.json?.identity as { id: string };
    match(id, idPattern);
    strictEqual(answer.json?.accessToken, undefined);
  }),
  must("ACSI-002", "creates an identity from an empty object and from null fields", async (client) => {
    for (const body of [{}, { createTokenWithScopes: null, expiresInMinutes: null }]) {
      const answer = await client.send({ path: "/identities", body });
      strictEqual(answer.status, 201);
      match((answer.json?.identity as { id: string }).id, idPattern);
    }
  }),
  must("ACSI-003", "creates an identity and a token in one call", async (client) => {
    const body = { createTokenWithScopes: ["chat", "voip"], expiresInMinutes: 60 };
    const answer = await client.send({ path: "/identities", body });
    strictEqual(answer.status, 201);
    match((answer.json?.identity as { id: string }).id, idPattern);
    checkToken(answer.json?.accessToken, 60);
  }),
  must("ACSI-004", "issues a token with 200, for 1440 minutes when nothing else is asked", (client) =>
    client.withIdentity(async (_, path) => {
      const answer = await client.send({ path: `${path}/:issueAccessToken`, body: { scopes: ["voip"] } });
      strictEqual(answer.status, 200);
      checkToken(answer.json, 1440);
    }),
  ),
  must("ACSI-005", "issues tokens for each of the five scopes", (client) =>
    client.withIdentity(async (_, path) => {
      for (const scope of ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"]) {
        const answer = await client.send({ path: `${path}/:issueAccessToken`, body: { scopes: [scope] } });
        strictEqual(answer.status, 200, scope);
        strictEqual(claimsOf(answer.json).acsScope, scope);
      }
    }),
  ),
  must("ACSI-006", "issues tokens at both ends of the range of lifetimes", (client) =>
    client.withIdentity(async (_, path) => {
      for (const expiresInMinutes of [60, 1440]) {
        const body = { scopes: ["chat"], expiresInMinutes };
        checkToken((await client.send({ path: `${path}/:issueAccessToken`, body })).json, expiresInMinutes);
      }
    }),
  ),
  must("ACSI-007", "revokes tokens with 204 and no body", (client) =>
    client.withIdentity(async (_, path) => {
      const answer = await client.send({ path: `${path}/:revokeAccessTokens` });
      strictEqual(answer.status, 204);
      strictEqual(answer.text, "");
    }),
  ),
  must("ACSI-008", "issues again after a revocation", (client) =>
    client.withIdentity(async (_, path) => {
      await client.send({ path: `${path}/:revokeAccessTokens` });
      const answer = await client.send({ path: `${path}/:issueAccessToken`, body: { scopes: ["chat"] } });
      strictEqual(answer.status, 200);
    }),
  ),
  must("ACSI-009", "deletes an identity with 204 and no body", async (client) => {
    const path = `/identities/${encodeURIComponent(await client.createIdentity())}`;
    const answer = await client.send({ method: "DELETE", path });
    strictEqual(answer.status, 204);
    strictEqual(answer.text, "");
  }),
  should("ACSI-010", "says of a deleted identity that it doesn't exist", async (client) => {
    const path = `/identities/${encodeURIComponent(await client.createIdentity())}`;
    await client.send({ method: "DELETE", path });
    const answer = await client.send({ path: `${path}/:issueAccessToken`, body: { scopes: ["chat"] } });
    ok(answer.status >= 400 && answer.status < 500, `status ${answer.status}`);
    match(String(errorOf(answer).message), /Provided identity doesn't exist\./);
  }),
  must("ACSI-011", "accepts an id whose colons are not encoded", async (client) => {
    const id = await client.createIdentity();
    strictEqual((await client.send({ method: "DELETE", path: `/identities/${id}` })).status, 204);
  }),
  must("ACSI-020", "refuses a signature by another key", async (client) => {
    denied(await client.send({ path: "/identities", key: otherKey }));
  }),
  must("ACSI-021", "refuses a request without a signature", async (client) => {
    denied(await client.send({ path: "/identities", headers: { authorization: "" } }));
  }),
  must("ACSI-022", "refuses a body that is not the one that was signed", (client) =>
    client.withIdentity(async (_, path) => {
      const body = { scopes: ["chat.join.limited"] };
      const sentBody = '{"scopes":["chat"]}';
      denied(await client.send({ path: `${path}/:issueAccessToken`, body, sentBody }));
    }),
  ),
  must("ACSI-023", "refuses a path that is not the one that was signed", (client) =>
    client.withIdentity(async (_, path) => {
      const sentPath = path.replace("8%3A", "8%3a");
      denied(
        await client.send({
          path: `${path}/:revokeAccessTokens`,
          sentPath: `${sentPath}/:revokeAccessTokens`,
        }),
      );
    }),
  ),
  must("ACSI-024", "refuses a date of yesterday, and one of tomorrow", async (client) => {
    for (const days of [-1, 1]) {
      denied(await client.send({ path: "/identities", date: new Date(Date.now() + days * 1440 * minute) }));
    }
  }),
  should("ACSI-025", "refuses a date more than 15 minutes off", async (client) => {
    denied(await client.send({ path: "/identities", date: new Date(Date.now() - 16 * minute) }));
  }),
  should("ACSI-026", "accepts a date five minutes off", async (client) => {
    const answer = await client.send({ path: "/identities", date: new Date(Date.now() - 5 * minute) });
    strictEqual(answer.status, 201);
  }),
  should("ACSI-030", "refuses 59 and 1441 minutes with its recorded text", (client) =>
    client.withIdentity(async (_, path) => {
      for (const minutes of [59, 1441]) {
        const body = { scopes: ["chat"], expiresInMinutes: minutes };
        invalid(
          await client.send({ path: `${path}/:issueAccessToken`, body }),
          `ExpiresInMinutes value ${minutes} is invalid. Value must be within the [60, 1440] interval.`,
          "ExpiresInMinutes",
        );
      }
    }),
  ),
  should("ACSI-031", "refuses null scopes with its recorded text", (client) =>
    client.withIdentity(async (_, path) => {
      const answer = await client.send({ path: `${path}/:issueAccessToken`, body: { scopes: null } });
      invalid(answer, "Scopes: The Scopes field is required.", "Scopes");
    }),
  ),
  should("ACSI-032", "refuses no scopes with its recorded text", (client) =>
    client.withIdentity(async (_, path) => {
      const answer = await client.send({ path: `${path}/:issueAccessToken`, body: { scopes: [] } });
      invalid(answer, "Invalid scopes - Scopes field is required.", "scopes");
    }),
  ),
  should(
    "ACSI-033",
    "says of another resource's identity, and of no identity at all, that it is not the resource's",
    async (client) => {
      const foreign = "8:acs:11111111-2222-4333-8444-555555555555_00000000-0000-0000-0000-000000000000";
      for (const id of [foreign, "not-an-identity"]) {
        const path = `/identities/${encodeURIComponent(id)}/:issueAccessToken`;
        const answer = await client.send({ path, body: { scopes: ["chat"] } });
        strictEqual(answer.status, 401);
        deepStrictEqual(errorOf(answer), {
          code: "IdentityNotOwned",
          message: "Provided identity doesn't belong to the resource.",
        });
      }
    },
  ),
  should("ACSI-034", "refuses a Teams token that is garbage before it looks at the ids", async (client) => {
    const body = { token: "garbage", appId: "", userId: "" };
    const answer = await client.send({ path: "/teamsUser/:exchangeAccessToken", body });
    strictEqual(answer.status, 401);
    deepStrictEqual(errorOf(answer), {
      code: "InvalidAccessToken",
      message: "Provided access token is not valid.",
    });
  }),
  should("ACSI-035", "says the same of them to a revocation and to a deletion", async (client) => {
    const foreign = "8:acs:11111111-2222-4333-8444-555555555555_00000000-0000-0000-0000-000000000000";
    for (const id of [foreign, "not-an-identity"]) {
      const path = `/identities/${encodeURIComponent(id)}`;
      for (const request of [{ path: `${path}/:revokeAccessTokens` }, { method: "DELETE", path }]) {
        const answer = await client.send(request);
        strictEqual(answer.status, 401);
        strictEqual(errorOf(answer).code, "IdentityNotOwned");
      }
    }
  }),
  must("ACSI-040", "accepts older stable api-versions", async (client) => {
    for (const apiVersion of ["2021-03-07", "2022-06-01", "2022-10-01"]) {
      const answer = await client.send({ path: "/identities", apiVersion });
      strictEqual(answer.status, 201, apiVersion);
    }
  }),
  should("ACSI-041", "refuses an unknown api-version with its recorded text", async (client) => {
    const answer = await client.send({ path: "/identities", apiVersion: "1999-12-31" });
    strictEqual(answer.status, 400);
    const { code, message } = errorOf(answer);
    strictEqual(code, "UnsupportedApiVersion");
    match(
      String(message),
      /^The HTTP resource that matches the request URI '.*\/identities' does not support the API version '1999-12-31'\.$/,
    );
  }),
  should("ACSI-050", "echoes the client's request id and names its api-versions", (client) =>
    client.withIdentity(async (_, path) => {
      const id = "5a5a5a5a-0000-4000-8000-5a5a5a5a5a5a";
      const headers = { "x-ms-client-request-id": id };
      const answer = await client.send({
        path: `${path}/:issueAccessToken`,
        body: { scopes: ["chat"] },
        headers,
      });
      strictEqual(answer.headers.get("x-ms-client-request-id"), id);
      match(String(answer.headers.get("api-supported-versions")), /2023-10-01/);
      match(String(answer.headers.get("content-type")), /^application\/json; charset=utf-8$/);
    }),
  ),
  should("ACSI-051", "issues JWTs with ACS's claims in their order, signed with RS256", (client) =>
    client.withIdentity(async (id, path) => {
      const answer = await client.send({
        path: `${path}/:issueAccessToken`,
        body: { scopes: ["voip", "chat"] },
      });
      const claims = claimsOf(answer.json);
      const known = [
        "skypeid",
        "scp",
        "csi",
        "exp",
        "rgn",
        "acsScope",
        "resourceId",
        "resourceLocation",
        "iat",
      ];
      deepStrictEqual(Object.keys(claims).slice(0, known.length), known);
      strictEqual(claims.skypeid, id.replace(/^8:/, ""));
      strictEqual(claims.scp, 1792);
      strictEqual(claims.acsScope, "voip,chat");
      strictEqual(headerOf(answer.json).alg, "RS256");
    }),
  ),
];

function must(id: string, title: string, check: Check): Audit {
  return {
    id,
    level: "MUST",
    title,
    run: (connectionString) => runCheck(check, new AuditClient(connectionString)),
  };
}

function should(id: string, title: string, check: Check): Audit {
  return {
    id,
    level: "SHOULD",
    title,
    run: (connectionString) => runCheck(check, new AuditClient(connectionString)),
  };
}

type Check = (client: AuditClient) => Promise<void>;

async function runCheck(check: Check, ownClient: AuditClient): Promise<void> {
  await using client = ownClient;
  await check(client);
}

function errorOf(answer: AuditAnswer): Record<string, unknown> {
  return (answer.json?.error ?? {}) as Record<string, unknown>;
}

function denied(answer: AuditAnswer): void {
  strictEqual(answer.status, 401);
  strictEqual(errorOf(answer).code, "Denied");
}

function invalid(answer: AuditAnswer, message: string, target: string): void {
  strictEqual(answer.status, 400);
  deepStrictEqual(errorOf(answer), { code: "ValidationError", message, target });
}

function partOf(answer: unknown, part: 0 | 1): Record<string, unknown> {
  const { token } = answer as { token: string };
  return JSON.parse(Buffer.from(token.split(".")[part] ?? "", "base64url").toString()) as Record<
    string,
    unknown
  >;
}

const headerOf = (answer: unknown) => partOf(answer, 0);
const claimsOf = (answer: unknown) => partOf(answer, 1);

function checkToken(answer: unknown, minutes: number): void {
  const { expiresOn } = answer as { expiresOn: string };
  match(expiresOn, expiryPattern);
  const claims = claimsOf(answer);
  strictEqual(claims.exp, Math.floor(Date.parse(expiresOn) / 1000));
  const off = Math.abs(claims.exp - (claims.iat as number) - minutes * 60);
  ok(off <= 5, `the lifetime is ${off} seconds off`);
}
