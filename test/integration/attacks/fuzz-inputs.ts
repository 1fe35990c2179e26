/** Makes requests that no honest client sends, of many kinds, each from a random source that its seed repeats. */
import type { Random } from "../../support/random";
import { heavyRequests } from "./heavy-requests";

/** Whom a request's credential is of. */
export type Credential = "nobody" | "service" | "user";

/** One request. */
export interface FuzzRequest {
  /** For the table. */
  readonly kind: string;
  readonly bytes: Buffer;
  /** Whose valid credential it holds. */
  readonly credential: Credential;
  /** True: it is one whole HTTP request, so one answer comes back and the connection stays. */
  readonly wellFormed: boolean;
  /** True: it must be answered with data. */
  readonly honest?: boolean;
}

/** What requests are made of. */
export interface FuzzMaterial {
  readonly developmentKey: string;
  readonly userToken: string;
  readonly userIdentityId: string;
  /** An identity that the user must not be given tokens for. */
  readonly otherIdentityId: string;
  readonly forgeries: readonly string[];
}

const paths = ["/graphql", "/explorer", "/explorer/settings.json", "/health/live", "/health/ready", "/"];
const keys = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "query",
  "variables",
  "a",
  "",
];
const words = [
  "\0",
  "\u202e",
  "\ufeff",
  "\ud800",
  "😀",
  "é",
  "e\u0301",
  "%00",
  "%s%n",
  "${7*7}",
  "{{7*7}}",
  "' OR 1=1 --",
  "<script>",
  "../../etc/passwd",
  "\r\nx-injected: 1\r\n",
  "\\",
  '"',
  "null",
  "NaN",
  "-0",
  "1e999",
  "9007199254740993",
  "8:acs:",
  "x".repeat(5_000),
  "\u2028",
  "__proto__",
];
const operations = (identityId: string) => [
  `mutation { issueToken(input: {identityId: "${identityId}", scopes: [VOIP]}) { accessToken { token } } }`,
  `mutation { createIdentity(input: {scopes: [CHAT]}) { identity { id } accessToken { token } } }`,
  `{ viewer { name kind rights identity { id cachedTokens { scopes } } } }`,
  `{ identity(id: "${identityId}") { id cachedTokens { scopes expiresOn } } }`,
  `{ _entities(representations: [{__typename: "Identity", id: "${identityId}"}]) { ... on Identity { id } } }`,
  `{ _service { sdl } }`,
  `mutation M($input: IssueTokenInput!) { issueToken(input: $input) { accessToken { token expiresOn source } } }`,
  `mutation { exchangeTeamsToken(input: {teamsUserAadToken: "x", clientId: "x", userObjectId: "x"}) { accessToken { token } } }`,
];

const whole = (random: Random, below: number) => Math.floor(random() * below);
const some = <T>(random: Random, max: number, make: () => T): T[] =>
  Array.from({ length: whole(random, max + 1) }, make);
const bytes = (random: Random, max: number) => Buffer.from(some(random, max, () => whole(random, 256)));
const text = (random: Random): string => some(random, 4, () => random.pick(words)).join("");

/** Bytes with a few of them changed, removed, doubled or moved. */
function mutated(random: Random, from: Buffer): Buffer {
  let out = from;
  for (let left = 1 + whole(random, 6); left > 0; left--) {
    const at = whole(random, out.length + 1);
    const end = Math.min(out.length, at + whole(random, 20));
    const [before, piece, after] = [out.subarray(0, at), out.subarray(at, end), out.subarray(end)];
    out = random.pick([
      () => Buffer.concat([before, after]),
      () => Buffer.concat([before, piece, piece, after]),
      () => Buffer.concat([before, bytes(random, 8), after]),
      () => Buffer.concat([before, Buffer.from(random.pick(words)), after]),
      () => Buffer.concat([after, piece, before]),
      () => Buffer.concat([before, piece.map((byte) => byte ^ (1 << whole(random, 8))), after]),
    ])();
  }
  return out;
}

/** Any JSON text; now and then none, deep, or large. */
function json(random: Random, depth = 0): string {
  if (random() < 0.01) return brokenJson(random);
  if (random() < 0.02) return largeJson(random);
  if (depth > 4 || random() < 0.4) {
    return random() < 0.6 ? JSON.stringify(text(random)).slice(0, 30_000) : random.pick(numbersAndTheLike);
  }
  const parts = some(random, 4, () => json(random, depth + 1));
  if (random() < 0.4) return `[${parts.join(",")}]`;
  return `{${parts.map((part) => `${JSON.stringify(random.pick(keys))}:${part}`).join(",")}}`;
}

const numbersAndTheLike = [
  "null",
  "true",
  "0",
  "-0",
  "1e400",
  "1E-400",
  "1.5",
  "-1",
  "123456789012345678901234567890",
];

function brokenJson(random: Random): string {
  return random.pick([
    "NaN",
    "undefined",
    "'a'",
    '"\\x41"',
    "[,]",
    "{,}",
    "01",
    "+1",
    "// no",
    "",
    "[",
    '{"a":',
    '"',
  ]);
}

function largeJson(random: Random): string {
  const levels = whole(random, 10_000);
  return random.pick([
    () => "[".repeat(levels) + "]".repeat(levels),
    () => '{"a":'.repeat(levels) + "1" + "}".repeat(levels),
    () => `[${"0,".repeat(levels)}0]`,
    () => `"${"x".repeat(levels)}"`,
    () => "9".repeat(levels),
  ])();
}

const graphqlTokens = [
  "{",
  "}",
  "(",
  ")",
  "[",
  "]",
  ":",
  "!",
  "|",
  "&",
  "@",
  "$",
  "...",
  "=",
  "#",
  '"""',
  '"',
  "query",
  "mutation",
  "subscription",
  "fragment",
  "on",
  "type",
  "null",
  "true",
  "1",
  "-1.5e9",
  "99999999999999999999",
  "__typename",
  "__schema",
  "__type",
  "@skip(if: true)",
  "@include(if: $a)",
  "@defer",
  "@oneOf",
  "viewer",
  "identity",
  "_entities",
  "input",
  "CHAT",
  "VOIP",
  "id",
  "token",
];

/** A document with a few tokens put in, taken out or exchanged. */
function mutatedDocument(random: Random, document: string): string {
  const tokens = document.match(/\.\.\.|"[^"]*"|\w+|[^\s\w]/g) ?? [];
  for (let left = 1 + whole(random, 3); left > 0; left--) {
    tokens.splice(
      whole(random, tokens.length),
      whole(random, 2),
      ...some(random, 2, () => random.pick(graphqlTokens)),
    );
  }
  return tokens.join(" ");
}

/** The makers of requests, by kind. */
export function fuzzRequests(material: FuzzMaterial): readonly ((random: Random) => FuzzRequest)[] {
  const { developmentKey, userToken, userIdentityId, otherIdentityId, forgeries } = material;
  const credentials: Readonly<Record<Credential, readonly string[]>> = {
    nobody: [],
    service: [`x-api-key: ${developmentKey}`],
    user: [`authorization: Bearer ${userToken}`],
  };
  const anybody = (random: Random) => random.pick(["nobody", "service", "user"] as const);
  const request = (line: string, headers: readonly string[], body: Buffer | string = ""): Buffer => {
    const payload = Buffer.from(body);
    const head = [`${line} HTTP/1.1`, "host: 127.0.0.1", ...headers, `content-length: ${payload.length}`];
    return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), payload]);
  };
  const jsonType = "content-type: application/json";
  const post = (headers: readonly string[], body: Buffer | string) =>
    request("POST /graphql", [jsonType, ...headers], body);
  const operation = (random: Random) =>
    random.pick(operations(random.pick([userIdentityId, otherIdentityId])));
  const valid = (random: Random, credential: Credential) =>
    post(credentials[credential], JSON.stringify({ query: operation(random) }));
  const broken = (kind: string, make: (random: Random) => Buffer) => (random: Random) => {
    return { kind, bytes: make(random), credential: "nobody" as const, wellFormed: false };
  };
  const asked =
    (kind: string, make: (random: Random, headers: readonly string[]) => Buffer) => (random: Random) => {
      const credential = anybody(random);
      return { kind, bytes: make(random, credentials[credential]), credential, wellFormed: true };
    };
  const strangers = (kind: string, make: (random: Random) => Buffer) => (random: Random) => {
    return { kind, bytes: make(random), credential: "nobody" as const, wellFormed: true };
  };
  /** What may stand in a header's line without ending it. */
  const inLine = (from: string) => from.replace(/[\r\n\0]/g, "").replace(/[^\t\x20-\x7e\x80-\xff]/g, "?");
  const token = (random: Random): string => {
    const from = random.pick([...forgeries, userToken]);
    // The last character of a base64 text has bits that mean nothing.
    const at = whole(random, from.length - 8);
    return random.pick([
      () => (from === userToken ? `${from.slice(0, at)}${from.slice(at + 1)}` : from),
      () => from.slice(0, at),
      () => `${from.slice(0, at)}${from[at] === "A" ? "B" : "A"}${from.slice(at + 1)}`,
      () => from.slice(0, at).repeat(2),
      () => `${bytes(random, 30).toString("base64url")}.${bytes(random, 200).toString("base64url")}.`,
      () => "eyJ".repeat(whole(random, 3_000)),
      () => ".".repeat(whole(random, 100)),
      () => inLine(text(random)),
    ])();
  };
  const attack = (random: Random, header: string) =>
    post([header.slice(0, 14_000)], JSON.stringify({ query: operation(random) }));

  return [
    broken("random bytes", (random) => bytes(random, 2_000)),
    broken("mutated requests", (random) => mutated(random, valid(random, "nobody"))),
    broken("request lines", (random) => {
      const method = random.pick([
        "GET",
        "POST",
        "HEAD",
        "PUT",
        "TRACE",
        "CONNECT",
        "OPTIONS",
        "PRI",
        "get",
        text(random),
      ]);
      const target = random.pick([
        random.pick(paths),
        text(random),
        `//${text(random)}`,
        `http://${text(random)}/`,
        "*",
      ]);
      const version = random.pick(["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2", "http/1.1", text(random)]);
      return Buffer.from(`${method} ${target} ${version}\r\nhost: a\r\nconnection: close\r\n\r\n`);
    }),
    broken("headers", (random) => {
      const names = [
        "content-length",
        "transfer-encoding",
        "host",
        "x-api-key",
        "authorization",
        "x-request-id",
        "x-forwarded-for",
        "expect",
        "upgrade",
        "connection",
        "content-type",
        "accept",
        "origin",
        "cookie",
        text(random),
      ];
      const values = [
        "0",
        "5",
        "chunked",
        "identity",
        "close",
        "100-continue",
        "websocket",
        "*/*",
        "text/html",
        text(random),
        `a\r\nx-injected: ${text(random)}`,
        bytes(random, 40).toString("latin1"),
      ];
      const lines = some(
        random,
        8,
        () => `${random.pick(names)}${random.pick([": ", ":", " : ", ""])}${random.pick(values)}`,
      );
      return request(
        "POST /graphql",
        random() < 0.5 ? [jsonType, ...lines, ...lines] : lines,
        '{"query":"{viewer{name}}"}',
      );
    }),
    broken("chunks", (random) => {
      const chunk = () =>
        random.pick([
          () =>
            `${whole(random, 64).toString(16)}${random.pick(["", ";a=b", ";" + "x".repeat(9_000), " "])}\r\n`,
          () => `${text(random)}\r\n`,
          () => "5\r\nhello\r\n",
          () => "fffffffffffffff\r\n",
          () => "0\r\nx-injected: 1\r\n\r\n",
        ])();
      const head = `POST /graphql HTTP/1.1\r\nhost: a\r\n${jsonType}\r\ntransfer-encoding: chunked\r\n\r\n`;
      return Buffer.from(head + some(random, 6, chunk).join(""));
    }),
    asked("nonsense JSON", (random, headers) => post(headers, json(random).slice(0, 110_000))),
    asked("not UTF-8, not JSON", (random, headers) => post(headers, bytes(random, 3_000))),
    asked("GraphQL parameters", (random, headers) => {
      const part = (name: string) => (random() < 0.6 ? [`"${name}":${json(random)}`] : []);
      const query = random() < 0.7 ? [`"query":${JSON.stringify(operation(random))}`] : part("query");
      return post(
        headers,
        `{${[...query, ...["variables", "operationName", "extensions", "id"].flatMap(part)].join(",")}}`,
      );
    }),
    asked("mutated documents", (random, headers) => {
      const document = operation(random);
      const query =
        random() < 0.8
          ? mutatedDocument(random, document)
          : mutated(random, Buffer.from(document)).toString();
      return post(headers, JSON.stringify({ query }));
    }),
    asked("large documents", (random, headers) => {
      const count = whole(random, random.pick([20, 300, 3_000]));
      const query = random.pick([
        () => `{ ${"viewer { name } ".repeat(count)} }`,
        () => `{ ${Array.from({ length: count }, (_, i) => `a${i}: viewer { name }`).join(" ")} }`,
        () => "{ viewer ".repeat(count),
        () => `{ viewer ${"@skip(if: false) ".repeat(count)} { name } }`,
        () => `query(${Array.from({ length: count }, (_, i) => `$v${i}: Int`).join()}) { viewer { name } }`,
        () => `{ ...a } fragment a on Query { ...b } fragment b on Query { ...a ${"...a ".repeat(count)} }`,
        () => `{ identity(id: ${"[".repeat(count)}1${"]".repeat(count)}) { id } }`,
        () => `{ identity(id: ${"{a:".repeat(count)}1${"}".repeat(count)}) { id } }`,
      ])();
      return post(headers, JSON.stringify({ query }));
    }),
    asked("wrong variables", (random, headers) => {
      const query = `mutation M($input: IssueTokenInput!) { issueToken(input: $input) { accessToken { token } } }`;
      const value = () =>
        random.pick([json(random, 3), `"${userIdentityId}"`, `["VOIP"]`, `"CHAT"`, "1e9", "-1", "60.5"]);
      const names = [
        "identityId",
        "scopes",
        "expiresInMinutes",
        "forceRefresh",
        "device",
        ...keys.slice(0, 4),
      ];
      const right = random() < 0.5 ? [`"identityId":"${userIdentityId}"`, `"scopes":["VOIP"]`] : [];
      const fields = [...right, ...some(random, 4, () => `"${random.pick(names)}":${value()}`)];
      return post(
        headers,
        `{"query":${JSON.stringify(query)},"variables":{"input":{${fields.join(",")}}}}`.slice(0, 110_000),
      );
    }),
    asked("heavy requests", (random, headers) => post(headers, random.pick(heavyRequests).body)),
    asked("query strings", (random, headers) => {
      const mark = random.pick([
        "?query=",
        "?",
        "/",
        "?variables=",
        "?query=%7Bviewer%7Bname%7D%7D&variables=",
        "#",
      ]);
      const rest = random.pick([
        encodeURIComponent(operation(random)),
        text(random).replace(/[^!-~]/g, "%"),
        "%",
        "%7B%00",
      ]);
      const accept = random.pick([
        "*/*",
        "text/html",
        "application/json",
        "application/graphql-response+json",
        "x/y",
        "",
      ]);
      return request(`GET ${random.pick(paths)}${mark}${rest}`.slice(0, 8_000), [
        ...headers,
        `accept: ${accept}`,
      ]);
    }),
    strangers("API keys", (random) =>
      attack(
        random,
        `x-api-key: ${random.pick([token(random), inLine(text(random)), developmentKey.slice(1), `${developmentKey}x`])}`,
      ),
    ),
    strangers("access tokens", (random) =>
      attack(
        random,
        `authorization: ${random.pick(["Bearer", "bearer", "Bearer ", "Basic", "DPoP", ""])} ${token(random)}`,
      ),
    ),
    (random) => {
      const credential = random.pick(["service", "user"] as const);
      const query = operations(userIdentityId)[credential === "user" ? 0 : whole(random, 2)] ?? "";
      const sent = post(credentials[credential], JSON.stringify({ query }));
      return { kind: "honest requests", bytes: sent, credential, wellFormed: true, honest: true };
    },
  ];
}
