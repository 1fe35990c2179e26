/** Compiles an operation of a valid document into a function that runs it, without graphql-js and Apollo Server. */
import { OperationTypeNode, type DocumentNode, type OperationDefinitionNode } from "graphql";
import type { GatewaySchema } from "../schema/build-schema";
import { compileVariables, unfit, type CoerceVariables, type Values } from "./input-values";
import { NotCompilable } from "./not-compilable";
import { Unwritable } from "./output-text";
import { recordOutcomes } from "./recorded-outcomes";
import { RootField } from "./root-field";
import { fragmentsOf, selectedFields } from "./selected-fields";

/** An operation that is ready to run. */
export interface CompiledOperation {
  /** Its root field, or `several`. */
  readonly name: string;
  /**
   * The answer, as Apollo Server would write it; undefined if it has anything but data, for Apollo Server to write:
   * it must be given the same context, in which it finds what has been done already.
   */
  run(context: object, variables: Values): Promise<string | undefined>;
}

/** Undefined for operations that are left to Apollo Server. */
export function compileOperation(
  { schema, direct }: Pick<GatewaySchema, "schema" | "direct">,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledOperation | undefined {
  const type = schema.getRootType(operation.operation);
  const isSubscription = operation.operation === OperationTypeNode.SUBSCRIPTION;
  if (!type || isSubscription || operation.directives?.length) return undefined;
  try {
    const fragments = fragmentsOf(document);
    const roots = [...selectedFields(type, [operation.selectionSet], fragments)].map(
      ([key, nodes], index) => new RootField(key, nodes, index === 0, { type, direct, fragments }),
    );
    const coerce = compileVariables(schema, operation.variableDefinitions ?? []);
    const [first] = roots;
    if (first && roots.length === 1) return new OneField(coerce, first);
    return new SeveralFields(coerce, roots, operation.operation === OperationTypeNode.MUTATION);
  } catch (error) {
    if (error instanceof NotCompilable) return undefined;
    throw error;
  }
}

/** What nearly all operations are. */
class OneField implements CompiledOperation {
  constructor(
    private readonly coerce: CoerceVariables,
    private readonly root: RootField,
  ) {}

  get name(): string {
    return this.root.name;
  }

  async run(context: object, sent: Values): Promise<string | undefined> {
    const variables = this.coerce(sent);
    const outcome = variables === unfit ? undefined : this.root.begin(context, variables);
    if (!outcome) return undefined;
    try {
      return `{"data":{${this.root.before}${this.root.write(await outcome)}}}\n`;
    } catch {
      // Whatever it was, Apollo Server comes to it again, and tells the client what is to be told.
      recordOutcomes(context, new Map([[this.root.key, outcome]]));
      return undefined;
    }
  }
}

class SeveralFields implements CompiledOperation {
  readonly name = "several";

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
      if (!outcome) return undefined;
      // Whoever waits for it may not come to it, when one before it has failed.
      outcome.catch(() => undefined);
      outcomes.set(root.key, outcome);
      return outcome;
    };
    if (!this.oneByOne) for (const root of this.roots) void begin(root);
    let text = '{"data":{';
    try {
      for (const root of this.roots) {
        const outcome = this.oneByOne ? begin(root) : outcomes.get(root.key);
        if (!outcome) throw new Unwritable();
        text += root.before + root.write(await outcome);
      }
    } catch {
      recordOutcomes(context, outcomes);
      return undefined;
    }
    return `${text}}}\n`;
  }
}
