/** What an operation is counted as: its root field, which the schema bounds, and never a name that a client has chosen. */
import type {
  ApolloServerPlugin,
  BaseContext,
  GraphQLRequestListener,
  HTTPGraphQLRequest,
} from "@apollo/server";
import {
  Kind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";

/** Of an operation with more than one root field. */
export const severalFields = "several";
/** Of one that asks for nothing but the schema. */
const introspection = "introspection";
/** Of a request of which no operation has come: it was not valid, or its sender was not let in. */
export const noOperation = "invalid";

/** The names of operations that Apollo Server has found to be valid. */
export class OperationNames {
  /** By their requests: of the context Apollo Server makes a copy. */
  readonly #names = new WeakMap<HTTPGraphQLRequest, string>();

  /** For Apollo Server. */
  plugin<TContext extends BaseContext>(): ApolloServerPlugin<TContext> {
    const listener: GraphQLRequestListener<TContext> = {
      didResolveOperation: ({ request, document, operation }) => {
        if (request.http && wasFound(operation)) this.#names.set(request.http, nameOf(document, operation));
        return done;
      },
    };
    const started = Promise.resolve(listener);
    return { requestDidStart: () => started };
  }

  of(request: HTTPGraphQLRequest): string {
    return this.#names.get(request) ?? noOperation;
  }
}

const done = Promise.resolve();

/** Apollo Server asks about an operation that it has not found, too, whatever its types say. */
function wasFound(operation: OperationDefinitionNode | undefined): operation is OperationDefinitionNode {
  return operation !== undefined;
}

/** The document is valid: what is spread is there, and not within itself. */
function nameOf(document: DocumentNode, { selectionSet }: OperationDefinitionNode): string {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const each of document.definitions) {
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each);
  }
  const names = new Map<string, string>();
  const spread = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        names.set((selection.alias ?? selection.name).value, selection.name.value);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect(selection.selectionSet);
      } else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment) collect(fragment.selectionSet);
      }
    }
  };
  collect(selectionSet);
  const fields = [...names.values()].filter((name) => !name.startsWith("__"));
  if (fields.length > 1) return severalFields;
  return fields[0] ?? introspection;
}
