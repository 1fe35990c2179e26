/** What an operation is called in logs and metrics: the one field of the schema that it asks for, in a bounded set of words. */
import { Kind, type OperationDefinitionNode, type SelectionSetNode } from "graphql";

/** The field, `several`, or `introspection`. */
export function operationLabel(fields: Iterable<string>): string {
  const names = new Set(fields);
  const own = [...names].filter((name) => !name.startsWith("__"));
  if (own.length === 0) return "introspection";
  return own.length === 1 ? (own[0] ?? "several") : "several";
}

/** The same of a valid operation; one whose fields stand in fragments counts as `several`. */
export function labelOf({ selectionSet }: OperationDefinitionNode): string {
  const names = fieldsOf(selectionSet);
  return names ? operationLabel(names) : "several";
}

function fieldsOf({ selections }: SelectionSetNode): string[] | undefined {
  const names: string[] = [];
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) names.push(selection.name.value);
    else if (selection.kind === Kind.INLINE_FRAGMENT) names.push(...(fieldsOf(selection.selectionSet) ?? []));
    else return undefined;
  }
  return names;
}
