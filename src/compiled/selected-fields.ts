/** The fields that an object is asked for, each once, with the fragments written out (GraphQL specification, 6.3.2). */
import {
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type SelectionSetNode,
} from "graphql";
import { NotCompilable } from "./not-compilable";

/** The fragments of a document by their names. */
export type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

export function fragmentsOf({ definitions }: DocumentNode): Fragments {
  return new Map(
    definitions.flatMap((each) =>
      each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
    ),
  );
}

/**
 * By the keys of the answer, in its order; of a key that is selected twice all nodes, for what is selected of it is
 * selected of one object. Throws {@link NotCompilable} for what depends on variables or on an object's type.
 */
export function selectedFields(
  type: GraphQLObjectType,
  selections: readonly SelectionSetNode[],
  fragments: Fragments,
): ReadonlyMap<string, readonly FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  const spread = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.directives?.length) throw new NotCompilable();
      switch (selection.kind) {
        case Kind.FIELD: {
          const key = (selection.alias ?? selection.name).value;
          const known = fields.get(key);
          if (known) known.push(selection);
          else fields.set(key, [selection]);
          break;
        }
        case Kind.INLINE_FRAGMENT:
          if ((selection.typeCondition?.name.value ?? type.name) !== type.name) throw new NotCompilable();
          collect(selection.selectionSet);
          break;
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value;
          const fragment = fragments.get(name);
          if (fragment?.typeCondition.name.value !== type.name || fragment.directives?.length)
            throw new NotCompilable();
          if (spread.has(name)) break;
          spread.add(name);
          collect(fragment.selectionSet);
        }
      }
    }
  };
  selections.forEach(collect);
  return fields;
}
