/** How large an operation may be. */

/** The limits of one operation. Beyond each it is refused with the code that is named. */
export interface OperationLimits {
  /** Lexical tokens of the document, counted while it is parsed; they bound its depth, aliases and directives too. `GRAPHQL_PARSE_FAILED`. */
  readonly maxTokens: number;
  /** Selections with each fragment written out where it is spread. `GRAPHQL_VALIDATION_FAILED`. */
  readonly maxSelections: number;
  /** The sum of the fields' costs (`@cost`, `@listSize`). `OPERATION_TOO_COMPLEX`. */
  readonly maxCost: number;
}

/**
 * Room for what clients, federation routers and GraphQL tools send: the introspection query of the tools has 184
 * tokens and 240 selections. A call to Azure costs 100 and what is returned with it a few more, so ten of
 * them are one request's share; so are a hundred entities with their cached tokens.
 */
export const defaultOperationLimits: OperationLimits = {
  maxTokens: 1_000,
  maxSelections: 400,
  maxCost: 1_200,
};

/**
 * Errors of a document or of its variables until no more are looked for. graphql-js adds one to say so, and for each it
 * writes out the value that is wrong.
 */
export const maxRequestErrors = 9;
