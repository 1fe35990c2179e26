/** docs/api.md: every operation and type of the schema, with a runnable example for each operation. */
import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isObjectType,
  isScalarType,
  Kind,
  parse,
  print,
  specifiedScalarTypes,
  validate,
} from "graphql";
import { Problem } from "../project.mjs";
import { anchor, code, errorsIn, fill, table } from "./markdown.mjs";

/** The page with its generated parts as the schema has them. Throws when an operation has no example, or a wrong one. */
export function apiPage(page, { schema, operations }) {
  const examples = examplesIn(operations, schema);
  const kinds = {
    queries: schema.getQueryType(),
    mutations: schema.getMutationType(),
    subscriptions: schema.getSubscriptionType(),
  };
  const types = Object.values(schema.getTypeMap()).filter(
    (type) =>
      !type.name.startsWith("_") &&
      !Object.values(kinds).includes(type) &&
      !specifiedScalarTypes.some(({ name }) => name === type.name) &&
      type.astNode,
  );
  const filled = Object.entries(kinds).reduce(
    (text, [name, type]) =>
      fill(text, name, () =>
        Object.values(type.getFields())
          .map((field) => operation(type.name, field, examples))
          .join("\n\n"),
      ),
    page,
  );
  return [
    ["objects", isObjectType],
    ["inputs", isInputObjectType],
    ["enums", isEnumType],
    ["scalars", isScalarType],
  ].reduce((text, [name, is]) => fill(text, name, () => types.filter(is).map(describe).join("\n\n")), filled);
}

function operation(root, field, examples) {
  const { name, type, args, description } = field;
  const example = examples.get(name);
  if (!example) throw new Problem(`operations/quickstart.graphql has no example of ${name}.`);
  const errors = errorsIn(description);
  const about = description.replace(/ ?Errors: .*$/s, "");
  return [
    `### ${root}.${name}`,
    about,
    `Answers ${typeLink(type)}. ${whoMay(field)}`,
    ...(args.length > 0 ? [table(["argument", "type", "meaning"], args.map(argument))] : []),
    ...(errors.length > 0
      ? [`Errors: ${errors.map((each) => `[${code(each)}](errors.md#${anchor(each)})`).join(", ")}.`]
      : []),
    `\`\`\`graphql\n${print(example)}\n\`\`\``,
  ].join("\n\n");
}

/** What the access directives say, in words. */
function whoMay({ astNode }) {
  const directives = new Map(astNode?.directives?.map((directive) => [directive.name.value, directive]));
  const scopes = directives.get("requiresScopes")?.arguments?.[0]?.value;
  const right = scopes && print(scopes).match(/"(.+)"/)?.[1];
  const weight = directives.get("cost")?.arguments?.[0]?.value.value;
  const costs = weight === undefined ? "" : ` Costs ${weight}.`;
  if (right) return `Needs the right ${code(right)}.${costs}`;
  return directives.has("authenticated") ? `Needs an access token or an API key.${costs}` : costs.trim();
}

function describe(type) {
  const head = [`### ${type.name}`, type.description ?? ""];
  if (isScalarType(type)) return head.join("\n\n");
  if (isEnumType(type)) {
    return [
      ...head,
      table(
        ["value", "meaning"],
        type.getValues().map(({ name, description }) => [code(name), description ?? ""]),
      ),
    ].join("\n\n");
  }
  const input = isInputObjectType(type);
  const rows = Object.values(type.getFields()).map((field) => {
    if (input) return argument(field);
    const inner = field.args.map(({ name, type: of }) => `${name}: ${of}`).join(", ");
    return [
      code(inner ? `${field.name}(${inner})` : field.name),
      typeLink(field.type),
      linked(field.description),
    ];
  });
  return [...head, table(["field", "type", "meaning"], rows)].join("\n\n");
}

function argument({ name, type, description, defaultValue }) {
  const otherwise = defaultValue === undefined ? "" : ` Default: ${code(JSON.stringify(defaultValue))}.`;
  return [code(name), typeLink(type), `${description ?? getNamedType(type).description ?? ""}${otherwise}`];
}

function linked(description = "") {
  return (description ?? "").replace(
    /Errors: (.*)$/s,
    (_all, list) =>
      `Errors: ${list.replace(/[A-Z][A-Z_]{3,}/g, (name) => `[${code(name)}](errors.md#${anchor(name)})`)}`,
  );
}

function typeLink(type) {
  const { name } = getNamedType(type);
  const isOurs = !specifiedScalarTypes.some((scalar) => scalar.name === name);
  return isOurs ? `[${code(String(type))}](#${anchor(name)})` : code(String(type));
}

/** The first example of each operation, by its field. */
function examplesIn(text, schema) {
  const document = parse(text);
  const [error] = validate(schema, document);
  if (error) throw new Problem(`operations/quickstart.graphql: ${error.message}`);
  const found = new Map();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const { name } of definition.selectionSet.selections)
      if (!found.has(name.value)) found.set(name.value, definition);
  }
  return found;
}
