/** What an operation is called in traces: by its type and root field, which the schema knows, not by what the client calls it. */
import { Kind, type DocumentNode, type OperationDefinitionNode, type SelectionSetNode } from "graphql";

/** An operation in few words. */
export interface OperationLabel {
  /** query, mutation or subscription. */
  readonly type: string;
  /** Its root field; `several` when it has more than one. */
  readonly field: string;
  /** The client's own name for it. */
  readonly name: string | undefined;
}

/** The label of an operation of a valid document. */
export function operationLabel(document: DocumentNode, operation: OperationDefinitionNode): OperationLabel {
  const fields = new Set<string>();
  collect(document, operation.selectionSet, fields);
  const [field = ""] = fields;
  return {
    type: operation.operation,
    field: fields.size > 1 ? "several" : field,
    name: operation.name?.value,
  };
}

function collect(document: DocumentNode, { selections }: SelectionSetNode, fields: Set<string>): void {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) fields.add(selection.name.value);
    else if (selection.kind === Kind.INLINE_FRAGMENT) collect(document, selection.selectionSet, fields);
    else {
      for (const definition of document.definitions) {
        if (definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value)
          collect(document, definition.selectionSet, fields);
      }
    }
  }
}
