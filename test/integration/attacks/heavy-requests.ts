/** Requests of about 100 KB that would cost far more to refuse than to read, if each part of them cost as much as the whole. */

/** Who sends a request. */
export type Sender = "nobody" | "user" | "service";

/** One request to /graphql. */
export interface HeavyRequest {
  readonly name: string;
  readonly from: readonly Sender[];
  /** JSON. */
  readonly body: string;
}

const size = 98_000;
const issue = "mutation($i:IssueTokenInput!){issueToken(input:$i){identity{id}}}";
const everybody = ["nobody", "user", "service"] as const;
const fill = (text: string, room = size): string => text.repeat(Math.floor(room / text.length));
const numbered = (count: number, each: (n: number) => string, separator = ""): string =>
  Array.from({ length: count }, (_, n) => each(n)).join(separator);
const json = (query: string, variables = "{}", more = ""): string =>
  `{"query":${JSON.stringify(query)},"variables":${variables}${more}}`;
const input = (fields: string): string => json(issue, `{"i":{${fields}}}`);
const text = (value: string): string => JSON.stringify(value);

/** Texts that patterns of the log's redaction, and of GraphQL's suggestions, could be slow on. */
const texts = {
  "a user at a host": `${"a".repeat(size)}@`,
  "the beginnings of tokens": fill("eyJ"),
  "the beginnings of URLs": fill("a://"),
  "names of secrets": fill("password "),
  "the beginnings of keys": fill("-----BEGIN PRIVATE KEY"),
  "the beginnings of suggestions": fill("Did you mean "),
  "signs that JSON escapes": "\u0001".repeat(size / 6.2),
};

const byVariables: Readonly<Record<string, string>> = {
  "fields that the input has not": input(`"scopes":["CHAT"],${numbered(8_500, (n) => `"${n}a":1`, ",")}`),
  "scopes that there are not": input(`"scopes":[${numbered(11_000, (n) => `"A${n}"`, ",")}]`),
  "one scope again and again": input(`"scopes":[${numbered(14_000, () => `"CHAT"`, ",")}]`),
  "lists in lists": input(`"scopes":${"[".repeat(size / 2)}${"]".repeat(size / 2)}`),
  "objects in objects": input(`"identityId":${'{"a":'.repeat(15_000)}1${"}".repeat(15_000)}`),
  "a number of many digits": input(`"scopes":["CHAT"],"expiresInMinutes":${"9".repeat(size)}`),
  "a name of an operation": json(
    "query A { viewer { name } }",
    "{}",
    `,"operationName":"${"a".repeat(size)}"`,
  ),
  "references to nothing": json(
    "query($r:[_Any!]!){_entities(representations:$r){__typename}}",
    `{"r":[${numbered(4_000, (n) => `{"__typename":"A${n}"}`, ",")}]}`,
  ),
  "references to identities that are none": json(
    "query($r:[_Any!]!){_entities(representations:$r){... on Identity{id}}}",
    `{"r":[${numbered(1_100, (n) => `{"__typename":"Identity","id":"${"a".repeat(40)}${n}"}`, ",")}]}`,
  ),
  "references to identities": json(
    "query($r:[_Any!]!){_entities(representations:$r){... on Identity{id}}}",
    `{"r":[${numbered(840, (n) => `{"__typename":"Identity","id":"8:acs:00000000-0000-4000-8000-000000000000_${n}"}`, ",")}]}`,
  ),
  "a Teams token": json(
    "mutation($i:ExchangeTeamsTokenInput!){exchangeTeamsToken(input:$i){accessToken{token}}}",
    `{"i":{"teamsUserAadToken":"${fill("eyJ", 30_000)}","clientId":"${fill("a.", 30_000)}","userObjectId":"${fill("eyJ", 30_000)}"}}`,
  ),
};
const byTexts = Object.entries(texts).flatMap(([name, value]) => [
  [`an identityId of ${name}`, input(`"scopes":["CHAT"],"identityId":${text(value)}`)] as const,
  [`a device of ${name}`, input(`"scopes":["CHAT"],"device":${text(value)}`)] as const,
  [`a scope of ${name}`, input(`"scopes":[${text(value)}]`)] as const,
]);

const documents: Readonly<Record<string, string>> = {
  "one field again and again": `{ viewer { ${fill("name ", 4_900)} } }`,
  "one field under many names": `{ viewer { ${numbered(320, (n) => `a${n}:name `)} } }`,
  "fields in conflict": `{ viewer { ${numbered(160, (n) => `a${n}:name a${n}:kind `)} } }`,
  "fields in conflict below many lines": `${"\n".repeat(size / 2)}{ viewer { ${numbered(160, (n) => `a${n}:name a${n}:kind `)} } }`,
  "objects in conflict below many lines": `${"\n".repeat(size / 2)}{ ${numbered(7, (m) => `viewer { ${numbered(22, (n) => `a${n}:${m % 2 === 0 ? "name" : "kind"} `)} } `)} }`,
  "one field with long arguments": `{ ${numbered(160, (n) => `identity(id:"${"a".repeat(550)}${n}"){id} `)} }`,
  "one field with the same long arguments": `{ ${fill(`identity(id:"${"a".repeat(600)}"){id} `, size)} }`,
  "fragments of fragments": `{ ...f0 } ${numbered(90, (n) => `fragment f${n} on Query { viewer { name } ...f${n + 1} } `)} fragment f90 on Query { viewer { name } }`,
  "fragments again and again": `{ ${numbered(60, (n) => `...f${n} `)} } ${numbered(60, (n) => `fragment f${n} on Query { viewer { a:name } } `)}`,
  "fragments in circles": `{ ...f0 } ${numbered(80, (n) => `fragment f${n} on Query { ...f${(n + 1) % 80} ...f${(n + 7) % 80} } `)}`,
  levels: `{ ${"viewer { ".repeat(320)} name ${"} ".repeat(320)} }`,
  "variables that nobody uses": `query(${numbered(240, (n) => `$v${n}:Int `)}) { viewer { name } }`,
  "variables of types that there are not": `query(${numbered(240, (n) => `$v${n}:Ident${n} `)}) { viewer { name } }`,
  directives: `{ viewer ${fill("@include(if:true) ", 2_900)} { name } }`,
  "directives that there are not": `{ viewer ${numbered(450, (n) => `@a${n} `)} { name } }`,
  "fields that there are not": `{ viewer { ${numbered(900, (n) => `nam${n} `)} } }`,
  "long fields that there are not": `{ viewer { ${numbered(100, (n) => `${"a".repeat(900)}${n} `)} } }`,
  "a field that there is not": `{ viewer { ${"a".repeat(size)} } }`,
  "a name in the answer": `{ ${"a".repeat(size)}: viewer { name } }`,
  "names in the answer": `{ ${numbered(14, (n) => `${"a".repeat(6_000)}${n}: identity(id: "x") { id } `)} }`,
  "arguments that there are not": `{ identity(${numbered(240, (n) => `id${n}: 1 `)}) { id } }`,
  "literals of the wrong kind": `mutation { issueToken(input: { scopes: [${numbered(900, (n) => `A${n} `)}] }) { identity { id } } }`,
  "a literal of a long text": `mutation { issueToken(input: { scopes: [${text(texts["the beginnings of suggestions"])}] }) { identity { id } } }`,
  "a literal of many digits": `mutation { issueToken(input: { scopes: [CHAT], expiresInMinutes: ${"9".repeat(size)} }) { identity { id } } }`,
  "literals in literals": `{ identity(id: ${"[".repeat(490)}1${"]".repeat(490)}) { id } }`,
  "objects in literals": `{ identity(id: ${"{a:".repeat(320)}1${"}".repeat(320)}) { id } }`,
  "fields of a literal that the input has not": `mutation { issueToken(input: { ${numbered(320, (n) => `scope${n}: 1 `)} }) { identity { id } } }`,
  "a block of lines": `{ identity(id: """${"\n ".repeat(size / 4)}""") { id } }`,
  "blank space": `{ viewer { name } ${" ".repeat(size)} }`,
  comments: `{ viewer { name } ${fill("#\n", size / 2)} }`,
  "an unknown character": `{ viewer { name } ${"\n".repeat(size / 2)} ? }`,
  "more tokens than there may be": fill("{"),
};

/** Each from everybody for whom it is refused in another place. */
export const heavyRequests: readonly HeavyRequest[] = [
  ...[...Object.entries(byVariables), ...byTexts].map(([name, body]) => ({ name, from: everybody, body })),
  ...Object.entries(documents).map(([name, query]) => ({
    name: `in the document: ${name}`,
    // What the document is like is found out for everybody alike.
    from: ["nobody", "service"] as const,
    body: json(query),
  })),
];
