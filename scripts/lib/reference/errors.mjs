/** docs/errors.md: every error code, out of src/errors.ts and src/server/http-refusal.ts. */
import { isObjectType } from "graphql";
import { anchor, code, errorsIn, fill, table } from "./markdown.mjs";

const whenAgain = {
  never: "No: the same request fails again.",
  later: "Yes, later, with back-off.",
  "at once": "Yes, at once.",
};

/** The page with its generated parts as the code has them. */
export function errorsPage(page, { errorCodes, refusals, schema }) {
  const raisedBy = operationsByCode(schema);
  const overview = Object.entries(errorCodes).map(([name, { status, remedy }]) => [
    `[${code(name)}](#${anchor(name)})`,
    String(status),
    remedy,
  ]);
  const sections = Object.entries(errorCodes).map(([name, { status, means, remedy, retry, data = [] }]) => {
    const operations = raisedBy.get(name) ?? [];
    const facts = [
      `- HTTP status: ${status}`,
      `- Worth another try? ${whenAgain[retry]}`,
      ...(data.length > 0 ? [`- In \`extensions\`: ${data.map(code).join(", ")}`] : []),
      `- From: ${operations.length > 0 ? operations.join(", ") : "any operation"}`,
    ];
    return `### ${name}\n\n${means} ${remedy}\n\n${facts.join("\n")}`;
  });
  const refused = Object.entries(refusals).map(([name, { status, means }]) => [
    code(name),
    String(status),
    means,
  ]);
  return [
    ["codes", () => table(["code", "status", "what to do"], overview)],
    ["details", () => sections.join("\n\n")],
    ["refusals", () => table(["code", "status", "what it means"], refused)],
  ].reduce((text, [name, make]) => fill(text, name, make), page);
}

/** Which operations say of themselves that they fail with a code. */
function operationsByCode(schema) {
  const found = new Map();
  for (const type of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    if (!isObjectType(type)) continue;
    for (const { name, description } of Object.values(type.getFields())) {
      const link = `[${code(name)}](api.md#${anchor(`${type.name}.${name}`)})`;
      for (const error of errorsIn(description)) found.set(error, [...(found.get(error) ?? []), link]);
    }
  }
  return found;
}
