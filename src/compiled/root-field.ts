/** A field of an operation itself, ready to run: its arguments, its resolver and the writing of what that answers. */
import type { FieldNode, GraphQLObjectType } from "graphql";
import type { DirectResolver, DirectResolvers } from "../schema/direct-resolvers";
import { compileArguments, unfit, type EvaluateArguments, type Values } from "./input-values";
import { NotCompilable } from "./not-compilable";
import { compileOutput, type Write } from "./output-text";
import type { Fragments } from "./selected-fields";

/** What a field stands in. */
export interface Surroundings {
  /** Query or Mutation. */
  readonly type: GraphQLObjectType;
  readonly direct: DirectResolvers;
  readonly fragments: Fragments;
}

export class RootField {
  /** What stands before its value in the answer. */
  readonly before: string;
  readonly write: Write;
  private readonly evaluate: EvaluateArguments;
  private readonly resolve: DirectResolver;

  /** `nodes` are all that have the key. Throws {@link NotCompilable}. */
  constructor(
    readonly key: string,
    nodes: readonly FieldNode[],
    isFirst: boolean,
    { type, direct, fragments }: Surroundings,
  ) {
    const [node] = nodes;
    const name = node?.name.value ?? "";
    const field = type.getFields()[name];
    const resolve = direct.get(`${type.name}.${name}`);
    if (!node || !field || !resolve) throw new NotCompilable();
    this.before = `${isFirst ? "" : ","}${JSON.stringify(key)}:`;
    this.write = compileOutput(field.type, nodes, fragments);
    this.evaluate = compileArguments(field.args, node);
    this.resolve = resolve;
  }

  /** What its resolver comes to; undefined, and nothing has begun, when the arguments do not fit. */
  begin(context: object, variables: Values): Promise<unknown> | undefined {
    const args = this.evaluate(variables);
    if (args === unfit) return undefined;
    try {
      const outcome = this.resolve(args, context);
      return outcome instanceof Promise ? outcome : Promise.resolve(outcome);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
