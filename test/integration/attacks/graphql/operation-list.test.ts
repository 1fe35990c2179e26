/** An operation list saves bytes, and made mandatory it is all that a gateway serves. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { operationManifest } from "../../../../bin/operations";
import * as generated from "../../../../operations/generated/operations";
import { OperationList, readOperationList } from "../../../../src/server/operation-list";
import { auditGraphqlOverHttp } from "../../../support/graphql-over-http-audits";
import { developmentKey, startWorld, type World } from "../../../support/world";

const documents = join(__dirname, "../../../../operations/*.graphql");

let folder: string;
let world: World;
let optional: World;
let manifest: Awaited<ReturnType<typeof operationManifest>>;
const idOf = (name: string) => manifest.operations.find((operation) => operation.name === name)?.id ?? "";
const bodyOf = (name: string) => manifest.operations.find((operation) => operation.name === name)?.body ?? "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "operation-list-"));
  manifest = await operationManifest([documents]);
  const file = join(folder, "manifest.json");
  writeFileSync(file, JSON.stringify(manifest));
  world = await startWorld({ parts: { operationList: readOperationList(file, true) } });
  optional = await startWorld({ parts: { operationList: readOperationList(file, false) } });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await optional[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly data?: Record<string, unknown>;
  readonly errors?: readonly { message: string; extensions: Record<string, unknown> }[];
}

const headers = { accept: "application/graphql-response+json", "x-api-key": developmentKey };
async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, ...((await response.json()) as object) };
}
const post = async (body: object, to = world) =>
  answerOf(
    await fetch(to.client.url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
const get = async (search: Record<string, string> | string, to = world) =>
  answerOf(await fetch(`${to.client.url}?${new URLSearchParams(search).toString()}`, { headers }));
const persisted = (sha256Hash: string) => ({ persistedQuery: { version: 1, sha256Hash } });
const notListed = { status: 403, errors: [{ extensions: { code: "OPERATION_NOT_LISTED" } }] };

describe("a gateway with a mandatory list made from its own documents", () => {
  it("serves the quickstart to clients that send its documents", async () => {
    const { createIdentity } = await world.client.data(generated.CreateIdentityAndTokenDocument, {
      scopes: ["VOIP"],
    });
    const identityId = createIdentity.identity.id;
    await world.client.data(generated.CreateIdentityDocument, {});
    await world.client.data(generated.IssueTokenDocument, { identityId, scopes: ["VOIP"] });
    await world.client.data(generated.RefreshTokenDocument, { identityId, scopes: ["VOIP"] });
    await world.client.data(generated.IdentityDocument, { identityId });
    await world.client.data(generated.ViewerDocument, {});
    await world.client.data(generated.RevokeTokensDocument, { identityId });
    await world.client.data(generated.DeleteIdentityDocument, { identityId });
  });

  it("serves a listed document by its id, whichever way the id is sent", async () => {
    const id = idOf("Viewer");
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const answer = { status: 200, data: { viewer: { kind: "SERVICE" } } };
    for (const body of [
      { documentId: id },
      { documentId: `sha256:${id}` },
      { extensions: persisted(id) },
      { documentId: id, operationName: "Viewer", variables: {}, extensions: { tracing: true } },
    ]) {
      expect(await post(body)).toMatchObject(answer);
    }
    for (const search of [{ documentId: `sha256:${id}` }, { extensions: JSON.stringify(persisted(id)) }]) {
      expect(await get(search)).toMatchObject(answer);
    }
  });

  it("passes variables on to a document that is named", async () => {
    const { createIdentity } = await world.client.data(generated.CreateIdentityDocument, {});
    const variables = { identityId: createIdentity.identity.id };
    const data = { identity: { id: variables.identityId } };
    expect(await post({ documentId: idOf("Identity"), variables })).toMatchObject({ data });
    expect(await get({ documentId: idOf("Identity"), variables: JSON.stringify(variables) })).toMatchObject({
      data,
    });
  });

  it("takes a listed text with other spaces and comments for the same", async () => {
    const query = `# mine\n${bodyOf("Viewer").replaceAll("\n", "\r\n\t ,")}`;
    expect(await post({ query })).toMatchObject({ status: 200, data: { viewer: {} } });
    expect(await get({ query })).toMatchObject({ status: 200, data: { viewer: {} } });
  });

  const attacks: [string, () => object][] = [
    ["another document", () => ({ query: "{ viewer { name } }" })],
    [
      "a listed document with one more field",
      () => ({ query: bodyOf("Viewer").replace("name", "name kind") }),
    ],
    [
      "a listed document and another one",
      () => ({ query: `${bodyOf("Viewer")} query Other { __typename }` }),
    ],
    ["another document under a listed id", () => ({ query: "{ __typename }", documentId: idOf("Viewer") })],
    [
      "another document under a listed hash",
      () => ({ query: "{ __typename }", extensions: persisted(idOf("Viewer")) }),
    ],
    ["an id that is not listed", () => ({ documentId: "0".repeat(64) })],
    ["a hash that is not listed", () => ({ extensions: persisted("0".repeat(64)) })],
    ["a name that every object has", () => ({ documentId: "constructor" })],
    ["introspection", () => ({ query: "{ __schema { types { name } } }" })],
    ["what is no GraphQL", () => ({ query: "}{" })],
    ["what is no GraphQL and endless", () => ({ query: '"'.repeat(40_000) })],
  ];

  it.each(attacks)("refuses %s", async (_case, body) => {
    expect(await post(body())).toMatchObject(notListed);
  });

  it.each([
    ["neither text nor id", {}],
    ["an empty text", { query: "" }],
    ["an empty text beside nothing", { query: "", operationName: "Viewer" }],
    ["a text that is an array", { query: ["{ __typename }"] }],
    ["a text that is an object", { query: { kind: "Document", definitions: [] } }],
    ["an id that is a number", { documentId: 7 }],
    ["an id that is an object", { documentId: { toString: "x" } }],
  ])("leaves a request with %s without data", async (_case, body) => {
    const answer = await post({ variables: {}, ...body });
    expect(answer).toMatchObject({ status: 400, errors: [{ extensions: { code: "BAD_REQUEST" } }] });
    expect(answer.data).toBeUndefined();
  });

  it("refuses the same over GET", async () => {
    expect(await get({ query: "{ __typename }" })).toMatchObject(notListed);
    expect(await get({ documentId: "0".repeat(64) })).toMatchObject(notListed);
    const twice = `query=${encodeURIComponent(bodyOf("Viewer"))}&query=%7B__typename%7D`;
    expect(await get(twice)).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: "BAD_REQUEST" } }],
    });
  });

  it("runs no listed mutation over GET", async () => {
    const before = world.emulator.identities.list().length;
    const answer = await get({ documentId: idOf("CreateIdentity") });
    expect(answer).toMatchObject({ status: 405, errors: [{ extensions: { code: "BAD_REQUEST" } }] });
    expect(world.emulator.identities.list()).toHaveLength(before);
  });

  it("still asks who is calling", async () => {
    const response = await fetch(world.client.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ documentId: idOf("Viewer") }),
    });
    expect(response.status).toBe(401);
  });
});

describe("a gateway with a list that is a convenience", () => {
  it("serves what is listed by id, and what is not by its text", async () => {
    expect(await post({ documentId: idOf("Viewer") }, optional)).toMatchObject({ data: { viewer: {} } });
    expect(await post({ query: "{ __typename }" }, optional)).toMatchObject({ status: 200 });
  });

  it("asks for the text of what it does not know, as automatic persisted queries expect it to", async () => {
    const extensions = persisted("0".repeat(64));
    expect(await post({ extensions }, optional)).toMatchObject({
      status: 200,
      errors: [{ message: "PersistedQueryNotFound", extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } }],
    });
    expect(await post({ query: "{ __typename }", extensions }, optional)).toMatchObject({
      status: 200,
      data: { __typename: "Query" },
    });
    expect(await post({ extensions }, optional)).toMatchObject({
      errors: [{ extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } }],
    });
  });

  it("keeps GraphQL over HTTP", async () => {
    const outcome = await auditGraphqlOverHttp({
      url: optional.client.url,
      headers: { "x-api-key": developmentKey },
    });
    expect(outcome).toEqual({ total: 61, notOk: [] });
  });
});

describe("a manifest", () => {
  it("of GraphQL Code Generator is read too", () => {
    const file = join(folder, "persisted-documents.json");
    writeFileSync(file, JSON.stringify({ abc: bodyOf("Viewer") }));
    const list = readOperationList(file, true);
    expect(list.size).toBe(1);
    const sent = { method: "POST", headers: new Map(), search: "", body: { documentId: "abc" } };
    expect(list.resolve(sent as never).body).toEqual({ query: bodyOf("Viewer") });
  });

  it.each([
    ["that is not there", undefined, /^The operation list .+ cannot be read \(ENOENT\)\.$/],
    ["that is not JSON", "{", /cannot be used: it is not JSON\.$/],
    [
      "of another version",
      '{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}',
      /version 1/,
    ],
    ["of another shape", "[]", /persisted query manifest/],
    ["without a document", '{"abc":7}', /persisted query manifest/],
    ["that lists nothing", "{}", /lists no operation/],
    [
      "with a document that is not GraphQL",
      '{"abc":"query {"}',
      /the document abc is not GraphQL \(Syntax Error/,
    ],
  ])("%s is refused in words", (_case, text, message) => {
    const file = join(folder, "bad.json");
    rmSync(file, { force: true });
    if (text !== undefined) writeFileSync(file, text);
    expect(() => readOperationList(file, true)).toThrow(message);
  });

  it("with one id for two documents is refused", () => {
    const twice = [
      { id: "a", body: "{ viewer { name } }" },
      { id: "sha256:a", body: "{ __typename }" },
    ];
    expect(() => new OperationList(twice, false)).toThrow("two documents with the id sha256:a");
  });
});
