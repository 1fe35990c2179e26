/** Turns the quickstart into one tab for each operation, with its variables laid out. */
import { Kind, parse, type DefinitionNode } from "graphql";

/** What GraphiQL opens a tab with. */
export interface Tab {
  readonly query: string;
  readonly variables: string;
  readonly headers: string;
}

/** The tabs for the operations of `document`. A comment before an operation stays with it. */
export function tabsFor(document: string, headers: string): Tab[] {
  let start = 0;
  return parse(document).definitions.map((definition) => {
    const end = definition.loc?.end ?? document.length;
    const query = document.slice(start, end).trim() + "\n";
    start = end;
    return { query, variables: variablesOf(definition), headers };
  });
}

/** The variables that must be given, as JSON to fill in. */
function variablesOf(definition: DefinitionNode): string {
  if (definition.kind !== Kind.OPERATION_DEFINITION) return "";
  const required = (definition.variableDefinitions ?? []).filter(
    ({ type, defaultValue }) => type.kind === Kind.NON_NULL_TYPE && !defaultValue,
  );
  if (required.length === 0) return "";
  return JSON.stringify(
    Object.fromEntries(required.map(({ variable }) => [variable.name.value, ""])),
    null,
    2,
  );
}
