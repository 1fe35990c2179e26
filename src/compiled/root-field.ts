/** A field of an operation itself, ready to run: its arguments, its resolver and the writing of what that answers. */
import type {
  FieldNode,
  GraphQLObjectType,
  GraphQLResolveInfo,
  GraphQLSchema,
  OperationDefinitionNode,
} from "graphql";
import { compileArguments, unfit, type EvaluateArguments, type Values } from "./input-values";
import { NotCompilable } from "./not-compilable";
import { compileOutput, type Write } from "./output-text";
import type { Fragments } from "./selected-fields";

/** What a field stands in. */
export interface Surroundings {
  readonly schema: GraphQLSchema;
  /** Query or Mutation. */
  readonly type: GraphQLObjectType;
  readonly operation: OperationDefinitionNode;
  readonly fragments: Fragments;
}

export class RootField {
  /** What stands before its value in the answer. */
  readonly before: string;
  readonly write: Write;
  private readonly evaluate: EvaluateArguments;
  private readonly resolve: (args: Values, context: object, variableValues: Values) => unknown;

  /** `nodes` are all that have the key. Throws {@link NotCompilable}. */
  constructor(
    readonly key: string,
    nodes: readonly FieldNode[],
    isFirst: boolean,
    { schema, type, operation, fragments }: Surroundings,
  ) {
    const [node] = nodes;
    const field = type.getFields()[node?.name.value ?? ""];
    if (!node || !field?.resolve) throw new NotCompilable();
    const { resolve } = field;
    this.before = `${isFirst ? "" : ","}${JSON.stringify(key)}:`;
    this.write = compileOutput(field.type, nodes, fragments);
    this.evaluate = compileArguments(field.args, node);
    const info: Omit<GraphQLResolveInfo, "variableValues"> = {
      fieldName: field.name,
      fieldNodes: nodes,
      returnType: field.type,
      parentType: type,
      path: { prev: undefined, key, typename: type.name },
      schema,
      fragments: Object.fromEntries(fragments),
      rootValue: undefined,
      operation,
    };
    this.resolve = (args, context, variableValues) =>
      resolve(undefined, args, context, { ...info, variableValues });
  }

  /** What its resolver comes to; undefined, and nothing has begun, when the arguments do not fit. */
  begin(context: object, variables: Values): Promise<unknown> | undefined {
    const args = this.evaluate(variables);
    if (args === unfit) return undefined;
    let outcome: Promise<unknown>;
    try {
      outcome = Promise.resolve(this.resolve(args, context, variables));
    } catch (error) {
      outcome = Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    // Whoever waits for it may not come to it, when one before it has failed.
    outcome.catch(() => undefined);
    return outcome;
  }
}
