/** Compiles an operation of a valid document into a function that runs it, without graphql-js and Apollo Server. */
import {
  OperationTypeNode,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from "graphql";
import { compileVariables, unfit, type CoerceVariables, type Values } from "./input-values";
import { NotCompilable } from "./not-compilable";
import { Unwritable } from "./output-text";
import { recordOutcomes } from "./recorded-outcomes";
import { RootField } from "./root-field";
import { fragmentsOf, selectedFields } from "./selected-fields";

/** An operation that is ready to run. */
export interface CompiledOperation {
  /**
   * The answer, as Apollo Server would write it; undefined if it has anything but data, for Apollo Server to write:
   * it must be given the same context, in which it finds what has been done already.
   */
  run(context: object, variables: Values): Promise<string | undefined>;
}

/** Undefined for operations that are left to Apollo Server. */
export function compileOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledOperation | undefined {
  try {
    return compile(schema, document, operation);
  } catch (error) {
    if (error instanceof NotCompilable) return undefined;
    throw error;
  }
}

function compile(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledOperation {
  const type = schema.getRootType(operation.operation);
  const isSubscription = operation.operation === OperationTypeNode.SUBSCRIPTION;
  if (!type || isSubscription || operation.directives?.length) throw new NotCompilable();
  const fragments = fragmentsOf(document);
  const roots = [...selectedFields(type, [operation.selectionSet], fragments)].map(
    ([key, nodes], index) => new RootField(key, nodes, index === 0, { schema, type, operation, fragments }),
  );
  const coerce = compileVariables(schema, operation.variableDefinitions ?? []);
  const oneByOne = operation.operation === OperationTypeNode.MUTATION;
  return new Program(coerce, roots, oneByOne);
}

class Program implements CompiledOperation {
  constructor(
    private readonly coerce: CoerceVariables,
    private readonly roots: readonly RootField[],
    /** Mutations wait for each other, queries do not. */
    private readonly oneByOne: boolean,
  ) {}

  async run(context: object, sent: Values): Promise<string | undefined> {
    const variables = this.coerce(sent);
    if (variables === unfit) return undefined;
    const outcomes = new Map<string, Promise<unknown>>();
    const begin = (root: RootField) => {
      const outcome = root.begin(context, variables);
      if (outcome) outcomes.set(root.key, outcome);
      return outcome;
    };
    if (!this.oneByOne) this.roots.forEach(begin);
    let text = '{"data":{';
    try {
      for (const root of this.roots) {
        const outcome = this.oneByOne ? begin(root) : outcomes.get(root.key);
        if (!outcome) throw new Unwritable();
        text += root.before + root.write(await outcome);
      }
    } catch {
      // Whatever it was, Apollo Server comes to it again, and tells the client what is to be told.
      recordOutcomes(context, outcomes);
      return undefined;
    }
    return `${text}}}\n`;
  }
}
