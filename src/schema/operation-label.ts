/** What an operation is called in logs, metrics and traces: by its root field, which the schema knows, in a bounded set of words. */
import {
  Kind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";

/** An operation in few words. */
export interface OperationLabel {
  /** query, mutation or subscription. */
  readonly type: string;
  /** Its root field; `several` when it has more than one, `introspection` when it asks for nothing but the schema. */
  readonly field: string;
  /** The client's own name for it, which is bounded by nothing. */
  readonly name: string | undefined;
}

/** The label of an operation of a valid document: what is spread is there, and not within itself. */
export function operationLabel(document: DocumentNode, operation: OperationDefinitionNode): OperationLabel {
  return {
    type: operation.operation,
    field: rootField(document, operation.selectionSet),
    name: operation.name?.value,
  };
}

function rootField({ definitions }: DocumentNode, selectionSet: SelectionSetNode): string {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const each of definitions) {
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each);
  }
  /** By what each is called in the answer: a field may be asked for twice. */
  const asked = new Map<string, string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        asked.set((selection.alias ?? selection.name).value, selection.name.value);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect(selection.selectionSet);
      } else {
        const fragment = fragments.get(selection.name.value);
        // Once is enough.
        fragments.delete(selection.name.value);
        if (fragment) collect(fragment.selectionSet);
      }
    }
  };
  collect(selectionSet);
  const fields = [...asked.values()].filter((name) => !name.startsWith("__"));
  if (fields.length > 1) return "several";
  return fields[0] ?? "introspection";
}
