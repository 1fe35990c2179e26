/** Requests at random: operations that are valid or nearly so, with variables of every kind. */
import fc, { type Arbitrary } from "fast-check";

const scopeNames = ["CHAT", "CHAT_JOIN", "CHAT_JOIN_LIMITED", "VOIP", "VOIP_JOIN"];

/** Mostly nothing: two fields under one alias are a conflict, and what has a directive is not compiled. */
const rarely = (...texts: readonly string[]) =>
  fc.oneof({ weight: 40, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constantFrom(...texts) });
const alias = rarely("a: ", "b: ");
const directive = rarely(" @include(if: true)", " @skip(if: $no)");
const field = (name: string) => fc.tuple(alias, directive).map(([before, after]) => before + name + after);
const some = (...fields: readonly Arbitrary<string>[]) =>
  fc.array(fc.oneof(...fields), { minLength: 1, maxLength: 5 }).map((all) => all.join(" "));

const identity = some(field("id"), field("__typename"), fc.constant("... on Identity { id }"));
const accessToken = some(
  ...["token", "expiresOn", "scopes", "source", "__typename", "nothing"].map(field).slice(0, 5),
  fc.constant("...token"),
  fc.constant("... { source }"),
);
const payload = some(
  fc.tuple(alias, identity).map(([before, of]) => `${before}identity { ${of} }`),
  fc.tuple(alias, accessToken).map(([before, of]) => `${before}accessToken { ${of} }`),
  field("__typename"),
);
const viewer = some(...["name", "kind", "scopes", "rights", "__typename"].map(field));

/** A value as it may stand in a variable: mostly of the right kind. */
const scopesValue = fc.oneof(
  { weight: 12, arbitrary: fc.array(fc.constantFrom(...scopeNames), { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>("CHAT", null, [null], ["NONE"], [["CHAT"]], 1, {}) },
);
const minutesValue = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<unknown>(60, 1440, null) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(59, 1441, 60.5, "60", true, 2 ** 31, [60], {}) },
);

/** A body of a request about an identity. */
export function randomBody(identityIds: readonly string[]): Arbitrary<object> {
  const idValue = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<unknown>(...identityIds) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, "", 1, 1.5, true, [], {}, "8:acs:x") },
  );
  const variables = fc.record(
    {
      id: idValue,
      scopes: scopesValue,
      minutes: minutesValue,
      no: fc.constantFrom<unknown>(false, true, null),
      more: fc.jsonValue(),
    },
    { requiredKeys: ["id", "scopes"] },
  );
  const literalScopes = fc
    .array(fc.constantFrom(...scopeNames), { maxLength: 3 })
    .map((names) => `[${names.join(", ")}]`);
  const input = fc
    .record({
      id: fc.constantFrom("identityId: $id", "identityId: $id", ""),
      scopes: fc.oneof(
        fc.constant("scopes: $scopes"),
        literalScopes.map((list) => `scopes: ${list}`),
        fc.constant("scopes: CHAT"),
      ),
      minutes: fc.constantFrom(
        "",
        "",
        "expiresInMinutes: $minutes",
        "expiresInMinutes: 60",
        "expiresInMinutes: null",
      ),
    })
    .map(({ id, scopes, minutes }) => `{ ${[id, scopes, minutes].filter(Boolean).join(", ")} }`);
  const issue = fc
    .tuple(input, payload, directive)
    .map(([how, of, after]) => `issueToken(input: ${how})${after} { ${of} }`);
  const mutation = fc
    .array(issue, { minLength: 1, maxLength: 3 })
    .map(
      (all) =>
        `mutation Run(VARIABLES) { ${all.map((each, index) => (index > 0 ? `m${index}: ${each}` : each)).join(" ")} }`,
    );
  const look = fc.tuple(alias, identity).map(([before, of]) => `${before}identity(id: $id) { ${of} }`);
  const query = some(
    look,
    viewer.map((of) => `viewer { ${of} }`),
    field("__typename"),
  ).map((of) => `query Run(VARIABLES) { ${of} }`);
  return fc
    .record({
      operation: fc.oneof({ weight: 3, arbitrary: mutation }, { weight: 1, arbitrary: query }),
      variables: fc.oneof(
        { weight: 9, arbitrary: variables },
        { weight: 1, arbitrary: fc.constantFrom<unknown>(null, [], "x") },
      ),
      operationName: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom<unknown>(undefined, null, "Run") },
        { weight: 1, arbitrary: fc.constantFrom("Other", "") },
      ),
      extensions: fc.constantFrom<unknown>(undefined, undefined, {}, null, { persistedQuery: null }),
    })
    .map(({ operation, ...rest }) => ({ query: document(operation), ...rest }));
}

/** The operation with the definitions of the variables and the fragment that it uses. */
function document(operation: string): string {
  const types = { id: "ID!", scopes: "[TokenScope!]!", minutes: "Int = 1440", no: "Boolean = false" };
  const used = Object.entries(types).filter(([name]) => operation.includes(`$${name}`));
  const definitions = used.map(([name, type]) => `$${name}: ${type}`).join(", ");
  const text = operation.replace("(VARIABLES)", used.length > 0 ? `(${definitions})` : "");
  return text.includes("...token") ? `${text} fragment token on AccessToken { token scopes }` : text;
}
