/** What an operation costs before it runs: the sum of its fields' prices, which the schema states in `@cost` and `@listSize`. */
import {
  getDirectiveValues,
  getNamedType,
  getVariableValues,
  isCompositeType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  visit,
  BREAK,
  type DocumentNode,
  type FieldNode,
  type GraphQLField,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from "graphql";
import { getComplexity, type ComplexityEstimatorArgs } from "graphql-query-complexity";

type Variables = Readonly<Record<string, unknown>>;

/** Of one field: its own weight, and how many objects it is taken to answer with. */
interface Price {
  readonly weight: number;
  readonly size: number;
}

/** The field through which a federation router asks for entities. */
const entities = "_entities";
/** What a walk through the schema costs, where introspection is open: one answer must not hold it a hundred times. */
const introspectionCost = 100;

/**
 * Prices the operations of one schema as the federation specification of demand control does: a field costs its
 * `@cost(weight:)`, else 1 if it has fields of its own and 0 if not, plus what is selected from it; a list costs that
 * as many times as `@listSize(assumedSize:)` says, and entities as many times as there are references to them.
 * Introspection costs a fixed sum; who may ask at all is settled elsewhere.
 */
export class OperationCosts {
  private readonly prices = new Map<GraphQLField<unknown, unknown>, Price>();
  /** By operation, which lives as long as its document is cached; `varies` if each request must be priced. */
  private readonly known = new WeakMap<OperationDefinitionNode, number | "varies">();

  /** Throws when a list of objects does not say its size, and for a schema without the two directives. */
  constructor(private readonly schema: GraphQLSchema) {
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith("__")) continue;
      for (const field of Object.values(type.getFields())) {
        this.prices.set(field, this.price(`${type.name}.${field.name}`, field));
      }
    }
  }

  /**
   * What the operation costs with these variables. Undefined when they are not of the operation's types: then nothing
   * of it will run. Throws graphql-js's own error for an argument that cannot be had from them, and for large variables
   * that are not of the operation's types.
   * @param document holds the operation, and has been validated against the schema.
   */
  of(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Variables | undefined,
  ): number | undefined {
    const known = this.known.get(operation);
    if (typeof known === "number") return known;
    const cost = this.compute(document, operation, variables);
    if (known === undefined && cost !== undefined)
      this.known.set(operation, dependsOnVariables(document) ? "varies" : cost);
    return cost;
  }

  private compute(document: DocumentNode, operation: OperationDefinitionNode, variables: Variables = {}) {
    const definitions = operation.variableDefinitions ?? [];
    const options = { maxErrors: 1, hideSuggestions: true };
    const { errors: [error] = [] } = getVariableValues(this.schema, definitions, variables, options);
    if (error) {
      // Execution would find up to ten, and graphql-js writes out the wrong value for each.
      if (isLarge(variables)) throw error;
      return undefined;
    }
    const only = { kind: Kind.DOCUMENT, definitions: [operation, ...fragmentsOf(document)] } as const;
    return getComplexity({ schema: this.schema, query: only, variables, estimators: [this.estimate] });
  }

  private readonly estimate = ({ field, args, childComplexity }: ComplexityEstimatorArgs): number => {
    if (field.name === "__schema" || field.name === "__type") return introspectionCost;
    const price = this.prices.get(field);
    if (!price) return 0;
    const size =
      field.name === entities ? (args as { representations: unknown[] }).representations.length : price.size;
    return size * (price.weight + childComplexity);
  };

  private price(name: string, field: GraphQLField<unknown, unknown>): Price {
    const weight = this.directive("cost", field)?.weight;
    const size = this.directive("listSize", field)?.assumedSize;
    const hasFields = isCompositeType(getNamedType(field.type));
    const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
    if (isList && hasFields && field.name !== entities && typeof size !== "number") {
      throw new Error(
        `${name} is a list of objects: say @listSize(assumedSize: …), or its price is unknown.`,
      );
    }
    return { weight: numberOr(hasFields ? 1 : 0, weight), size: numberOr(1, size) };
  }

  private directive(name: string, { astNode }: GraphQLField<unknown, unknown>) {
    const definition = this.schema.getDirective(name);
    if (!definition) throw new Error(`The schema does not know @${name}.`);
    return astNode ? getDirectiveValues(definition, astNode) : undefined;
  }
}

function isLarge(variables: Variables): boolean {
  try {
    return JSON.stringify(variables).length > 8_000;
  } catch {
    // Nested too deep to be written.
    return true;
  }
}

function numberOr(otherwise: number, value: unknown): number {
  return typeof value === "number" ? value : otherwise;
}

function fragmentsOf({ definitions }: DocumentNode) {
  return definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
}

/** True if what is selected, or how many entities are asked for, is only known from the variables. */
function dependsOnVariables(document: DocumentNode): boolean {
  let depends = false;
  const look = (node: object) => {
    visit(node as FieldNode, {
      Variable: () => {
        depends = true;
        return BREAK;
      },
    });
  };
  visit(document, {
    Directive: (node) => {
      look(node);
    },
    Field: (node) => {
      if (node.name.value === entities) node.arguments?.forEach(look);
    },
  });
  return depends;
}
