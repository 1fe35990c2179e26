/** Requests of every kind: what clients send, what they send by mistake, and what somebody sends to do harm. */
import type { Sent } from "./two-ways";

/** Identities that the requests are about: one that exists, one that was deleted, one of another resource. */
export interface Identities {
  readonly living: string;
  readonly gone: string;
  readonly foreign: string;
}

const whole = "identity { id } accessToken { token expiresOn scopes source }";
const byVariables = `mutation Issue($id: ID, $scopes: [TokenScope!]!, $minutes: Int = 1440) {
  issueToken(input: { identityId: $id, scopes: $scopes, expiresInMinutes: $minutes }) { ${whole} }
}`;
const asOneInput = `mutation ($input: IssueTokenInput!) { issueToken(input: $input) { ${whole} } }`;

/** Operations that succeed; all of them are answered past Apollo Server when they come again. */
export function compilable({ living: id }: Identities): Sent[] {
  const scopes = ["CHAT", "VOIP"];
  const variables = { id, scopes };
  const query = byVariables;
  const literal = (selection: string) =>
    `mutation { issueToken(input: { identityId: "${id}", scopes: [VOIP, CHAT] }) { ${selection} } }`;
  return [
    { name: "variables", body: { query, variables } },
    { name: "one input", body: { query: asOneInput, variables: { input: { identityId: id, scopes } } } },
    { name: "literals", body: { query: literal(whole) } },
    { name: "a part", body: { query: literal("accessToken { token }") } },
    { name: "type names", body: { query: literal("__typename identity { __typename id }") } },
    {
      name: "aliases",
      body: { query: literal("who: identity { it: id } accessToken { a: token b: token }") },
    },
    {
      name: "the same object twice",
      body: {
        query: literal(
          "identity { id } accessToken { token } identity { same: id } accessToken { source token }",
        ),
      },
    },
    {
      name: "fragments",
      body: {
        query: `mutation { issueToken(input: { identityId: "${id}", scopes: CHAT }) { ...all ... on IssueTokenPayload { accessToken { scopes } } ... { identity { id } } } }
          fragment all on IssueTokenPayload { accessToken { ...token ...token } } fragment token on AccessToken { token expiresOn }`,
      },
    },
    {
      name: "two fields of which both are the same mutation",
      body: {
        query: `mutation ($id: ID!) { a: issueToken(input: { identityId: $id, scopes: [CHAT] }) { accessToken { token } }
          b: issueToken(input: { identityId: $id, scopes: [VOIP] }) { accessToken { token } } }`,
        variables: { id },
      },
    },
    {
      name: "two operations, the second",
      body: { query: `query Me { viewer { name } } ${byVariables}`, operationName: "Issue", variables },
    },
    {
      name: "two operations, the first",
      body: { query: `query Me { viewer { name } } ${byVariables}`, operationName: "Me", variables },
    },
    { name: "viewer", body: { query: "{ viewer { name kind scopes rights } }" } },
    {
      name: "identity",
      body: { query: "query ($id: ID!) { identity(id: $id) { id __typename } }", variables },
    },
    {
      name: "two queries",
      body: { query: `{ viewer { name } identity(id: "${id}") { id } again: viewer { kind } }` },
    },
    { name: "a list of one", body: { query, variables: { id, scopes: "CHAT" } } },
    { name: "scopes twice", body: { query, variables: { id, scopes: ["VOIP", "VOIP", "CHAT"] } } },
    { name: "a null for what has a default", body: { query, variables: { id, scopes, minutes: null } } },
    { name: "minutes", body: { query, variables: { id, scopes, minutes: 60 } } },
    { name: "minutes with a point", body: { query, variables: { id, scopes, minutes: 60.0 } } },
    {
      name: "minutes as 6e1",
      body: `{"query":${JSON.stringify(query)},"variables":{"id":"${id}","scopes":["CHAT"],"minutes":6e1}}`,
    },
    {
      name: "a variable that the operation has not",
      body: { query, variables: { ...variables, more: [1, { a: 2 }] } },
    },
    { name: "named", body: { query, operationName: "Issue", variables } },
    { name: "operationName null", body: { query, operationName: null, variables } },
    {
      name: "extensions",
      body: { query, variables, extensions: { clientLibrary: { name: "@apollo/client" } } },
    },
    { name: "extensions null", body: { query, variables, extensions: null } },
    {
      name: "extensions with persistedQuery null",
      body: { query, variables, extensions: { persistedQuery: null } },
    },
    { name: "more than a request has", body: { query, variables, id: 1, batch: [] } },
    { name: "a byte order mark", body: `\uFEFF${JSON.stringify({ query, variables })}` },
    {
      name: "keys twice",
      body: `{"query":"{","query":${JSON.stringify(query)},"variables":${JSON.stringify(variables)}}`,
    },
    {
      name: "a key __proto__ among the variables",
      body: `{"query":${JSON.stringify(query)},"variables":{"__proto__":{"id":"x"},"id":"${id}","scopes":["CHAT"]}}`,
    },
    ...[
      "*/*",
      "application/*",
      "application/graphql-response+json",
      "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
      "application/json;q=0.5, application/graphql-response+json;q=0.4",
      "APPLICATION/JSON",
      "text/event-stream, application/json",
    ].map((accept) => ({ name: `accept ${accept}`, body: { query, variables }, headers: { accept } })),
  ];
}

/** What comes to errors, or is not compiled. */
export function others({ living: id, gone, foreign }: Identities): Sent[] {
  const scopes = ["CHAT"];
  const query = byVariables;
  const requests: Record<string, Sent["body"]> = {
    "lifetime 59": { query, variables: { id, scopes, minutes: 59 } },
    "lifetime 1441": { query, variables: { id, scopes, minutes: 1441 } },
    "lifetime 60.5": { query, variables: { id, scopes, minutes: 60.5 } },
    "lifetime as text": { query, variables: { id, scopes, minutes: "60" } },
    "lifetime beyond 32 bits": { query, variables: { id, scopes, minutes: 2 ** 31 } },
    "lifetime true": { query, variables: { id, scopes, minutes: true } },
    "no scopes": { query, variables: { id, scopes: [] } },
    "scopes null": { query, variables: { id, scopes: null } },
    "a null among the scopes": { query, variables: { id, scopes: ["CHAT", null] } },
    "scopes missing": { query, variables: { id } },
    "variables missing": { query },
    "variables null": { query, variables: null },
    "an unknown scope": { query, variables: { id, scopes: ["chat"] } },
    "a scope that is a name of every object": {
      query,
      variables: { id, scopes: ["constructor", "__proto__"] },
    },
    "lists in lists": { query, variables: { id, scopes: [["CHAT"]] } },
    "an object for an id": { query, variables: { id: { a: 1 }, scopes } },
    "a number for an id": { query, variables: { id: 12, scopes } },
    "a fraction for an id": { query, variables: { id: 1.5, scopes } },
    "an empty id": { query, variables: { id: "", scopes } },
    "no id": { query, variables: { scopes } },
    "an id that is none": { query, variables: { id: 'ä"\\\u0000\u2028😀\ud800', scopes } },
    "an identity that is gone": { query, variables: { id: gone, scopes } },
    "an identity of another resource": { query, variables: { id: foreign, scopes } },
    "an input with a field that it has not": {
      query: asOneInput,
      variables: { input: { identityId: id, scopes, more: 1 } },
    },
    "an input with __proto__": `{"query":${JSON.stringify(asOneInput)},"variables":{"input":{"__proto__":{},"identityId":"${id}","scopes":["CHAT"]}}}`,
    "an input that is a list": { query: asOneInput, variables: { input: [] } },
    "an input that is a text": { query: asOneInput, variables: { input: "x" } },
    "an input with undefined parts": { query: asOneInput, variables: { input: { scopes } } },
    "id and device": { query: asOneInput, variables: { input: { identityId: id, device: "phone", scopes } } },
    "sixty wrong variables": {
      query: asOneInput,
      variables: { input: { scopes: Array.from({ length: 60 }, () => "NONE"), identityId: id } },
    },
    "fields that the input has not, many": {
      query: asOneInput,
      variables: {
        input: { scopes, ...Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`${n}a`, 1])) },
      },
    },
    "scopes that there are not, many": {
      query,
      variables: { id, scopes: Array.from({ length: 3_000 }, (_, n) => `A${n}`) },
    },
    "a long scope that looks like a suggestion": {
      query,
      variables: { id, scopes: ["Did you mean ".repeat(3_000)] },
    },
    "a long id": { query, variables: { id: `${"a".repeat(50_000)}@`, scopes } },
    "a long id of signs that JSON escapes": { query, variables: { id: "\u0001".repeat(10_000), scopes } },
    "lists in lists, deep": {
      query,
      variables: JSON.parse(`{"scopes":${"[".repeat(3_000)}${"]".repeat(3_000)}}`) as object,
    },
    "objects in objects, deep": {
      query: asOneInput,
      variables: JSON.parse(`{"input":${'{"a":'.repeat(3_000)}1${"}".repeat(3_000)}}`) as object,
    },
    "a large variable that the operation has not": {
      query,
      variables: { id, scopes, more: "x".repeat(50_000) },
    },
    "a long operationName": { query, operationName: "a".repeat(50_000), variables: { id, scopes } },
    "a long name in the answer": { query: `{ ${"a".repeat(50_000)}: identity(id: "x") { id } }` },
    "many references to nothing": {
      query: "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Identity { id } } }",
      variables: { r: Array.from({ length: 500 }, () => ({ __typename: "Identity", id: "x" })) },
    },
    "the second of two mutations fails": {
      query: `mutation { a: issueToken(input: { identityId: "${id}", scopes: [CHAT] }) { accessToken { token } }
        b: issueToken(input: { identityId: "${gone}", scopes: [CHAT] }) { accessToken { token } } }`,
    },
    "one of two queries fails": { query: `{ viewer { name } identity(id: "nobody") { id } }` },
    "both queries fail": { query: `{ a: identity(id: "nobody") { id } b: identity(id: "") { id } }` },
    "a resolver below": { query: `{ identity(id: "${id}") { id cachedTokens { scopes expiresOn } } }` },
    "a directive, true": {
      query: "query ($yes: Boolean!) { viewer { name @include(if: $yes) kind } }",
      variables: { yes: true },
    },
    "a directive, false": {
      query: "query ($yes: Boolean!) { viewer { name @include(if: $yes) kind } }",
      variables: { yes: false },
    },
    "skipped as a whole": { query: "{ viewer @skip(if: true) { name } }" },
    "__typename alone": { query: "{ __typename }" },
    introspection: { query: "{ __schema { queryType { name } } }" },
    entities: {
      query: `{ _entities(representations: [{ __typename: "Identity", id: "${id}" }]) { ... on Identity { id } } }`,
    },
    "a subscription": { query: `subscription { tokenRevoked(identityId: "${id}") { cause } }` },
    "an operationName that is not there": { query, operationName: "Other", variables: { id, scopes } },
    "an empty operationName": { query, operationName: "", variables: { id, scopes } },
    "operationName __proto__": { query, operationName: "__proto__", variables: { id, scopes } },
    "an operationName that is a number": { query, operationName: 1, variables: { id, scopes } },
    "variables as text": { query, variables: JSON.stringify({ id, scopes }) },
    "variables as a list": { query, variables: [id, scopes] },
    "extensions as text": { query, variables: { id, scopes }, extensions: "{}" },
    "extensions as a list": { query, variables: { id, scopes }, extensions: [] },
    "a persisted query": {
      query,
      variables: { id, scopes },
      extensions: { persistedQuery: { version: 1, sha256Hash: "x" } },
    },
    "query as a number": { query: 1 },
    "no query": { variables: {} },
    "two operations, none named": { query: "query A { viewer { name } } query B { viewer { name } }" },
    "a syntax error": { query: "{ viewer { name }" },
    "an unknown field": { query: "{ viewer { nam } }" },
    "an unknown argument": { query: "{ identity(di: 1) { id } }" },
    "too dear": {
      query: `mutation {${Array.from({ length: 13 }, (_, n) => ` m${n}: revokeTokens(input: { identityId: "${id}" }) { effectiveBy }`).join("")} }`,
    },
    "too many aliases": {
      query: `{ viewer {${Array.from({ length: 16 }, (_, n) => ` n${n}: name`).join("")} } }`,
    },
    "an empty object": {},
    "a list": [],
    "no JSON": "{",
    "no UTF-8": Buffer.from([0x7b, 0xff, 0x7d]),
    empty: "",
  };
  return [
    ...Object.entries(requests).map(([name, body]) => ({ name, body })),
    ...["text/html", "image/png", "text/event-stream", "", ",,;q=x", "application/json;q=0"].map(
      (accept) => ({
        name: `accept ${accept || "nothing"}`,
        body: { query, variables: { id, scopes } },
        headers: { accept },
      }),
    ),
    { name: "another media type", body: { query }, headers: { "content-type": "text/plain" } },
    {
      name: "from a web page elsewhere",
      body: { query: "{ viewer { name } }" },
      headers: { origin: "https://evil.example" },
    },
  ];
}
