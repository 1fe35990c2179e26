/** How large an operation may be, and the validation rules that hold it to that. */
import { maxAliasesRule } from "@escape.tech/graphql-armor-max-aliases";
import { maxDepthRule } from "@escape.tech/graphql-armor-max-depth";
import { maxDirectivesRule } from "@escape.tech/graphql-armor-max-directives";
import { GraphQLError, type ValidationContext, type ValidationRule } from "graphql";
import { GatewayError } from "../errors";

/** The limits of one operation. Beyond each it is refused with `OPERATION_TOO_COMPLEX`, unless another code is named. */
export interface OperationLimits {
  /** Lexical tokens of the document, counted while it is parsed. `GRAPHQL_PARSE_FAILED`. */
  readonly maxTokens: number;
  /** Selections with each fragment written out where it is spread. `GRAPHQL_VALIDATION_FAILED`. */
  readonly maxSelections: number;
  /** Levels of selections; a fragment, named or inline, is a level of its own. Introspection of the schema is exempt. */
  readonly maxDepth: number;
  /** Aliases, also of `__typename`. */
  readonly maxAliases: number;
  /** Directives, known to the schema or not. */
  readonly maxDirectives: number;
  /** The sum of the fields' prices (`@cost`, `@listSize`). */
  readonly maxCost: number;
}

/**
 * Room for what clients, federation routers and GraphQL tools send: the introspection query of the tools has 184
 * tokens and 240 selections. A call to Azure is priced at 100 and what is returned with it at a few more, so ten of
 * them are one request's share; so are a hundred entities with their cached tokens.
 */
export const defaultOperationLimits: OperationLimits = {
  maxTokens: 1_000,
  maxSelections: 400,
  maxDepth: 10,
  maxAliases: 15,
  maxDirectives: 20,
  maxCost: 1_200,
};

/** The rules for depth, aliases and directives. To run on documents that are otherwise valid: fragments are followed. */
export function limitRules({ maxDepth, maxAliases, maxDirectives }: OperationLimits): ValidationRule[] {
  return [
    maxDepthRule({ n: maxDepth, ignoreIntrospection: true, ...refusal(maxDepth) }),
    // Without a list of its own the rule would let through any number of aliases of __typename.
    maxAliasesRule({ n: maxAliases, allowList: [], ...refusal(maxAliases) }),
    maxDirectivesRule({ n: maxDirectives, ...refusal(maxDirectives) }),
  ];
}

/** The rules throw by themselves, which graphql-js does not expect of a rule and Apollo Server takes for a fault. */
function refusal(limit: number) {
  const report = (context: ValidationContext | null, { message }: GraphQLError) => {
    const text = message.replace("Syntax Error: ", "");
    context?.reportError(
      new GraphQLError(text, { originalError: new GatewayError("OPERATION_TOO_COMPLEX", text, { limit }) }),
    );
  };
  return { propagateOnRejection: false, onReject: [report] };
}
