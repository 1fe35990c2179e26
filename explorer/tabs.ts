/** Turns the quickstart into one tab for each operation, with its variables laid out. */
import { Kind, parse, valueFromASTUntyped, type DefinitionNode } from "graphql";

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

/** The variables that are not nullable, as JSON: defaults as they stand, the others to be filled in. */
function variablesOf(definition: DefinitionNode): string {
  if (definition.kind !== Kind.OPERATION_DEFINITION) return "";
  const values = (definition.variableDefinitions ?? [])
    .filter(({ type }) => type.kind === Kind.NON_NULL_TYPE)
    .map(({ variable, defaultValue }) => [
      variable.name.value,
      defaultValue ? valueFromASTUntyped(defaultValue) : "",
    ]);
  return values.length === 0 ? "" : JSON.stringify(Object.fromEntries(values), null, 2);
}
