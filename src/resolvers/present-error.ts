/** Apollo's formatError: our errors and GraphQL's own pass, everything else is masked and logged under an id. */
import { unwrapResolverError } from "@apollo/server/errors";
import { GraphQLError, type GraphQLFormattedError } from "graphql";
import { GatewayError } from "../errors";
import type { Events } from "../services/telemetry/events";

/** The codes of errors that GraphQL itself finds in a request, before any of our code has run. */
const requestErrors = new Set([
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "BAD_USER_INPUT",
  "BAD_REQUEST",
  "OPERATION_RESOLUTION_FAILURE",
  "PERSISTED_QUERY_NOT_SUPPORTED",
  "PERSISTED_QUERY_NOT_FOUND",
]);

/** How graphql-js ends a message about a name that it does not know. */
const suggestion = / ?Did you mean [^?]+\?$/;

/**
 * Makes Apollo's `formatError`.
 * @param suggests false: names of the schema that are near to a misspelt one are kept back, also among variables,
 * where Apollo Server's own option does not look.
 */
export function presentErrors(
  events: Pick<Events, "internalError">,
  suggests = true,
): (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError {
  return (formatted, error) => {
    const cause = causeOf(error);
    if (cause instanceof GatewayError) {
      // Apollo Server has a code of its own for whatever a validation rule reports.
      const extensions = { ...formatted.extensions, code: cause.code };
      return { ...formatted, message: cause.message, extensions };
    }
    const code = formatted.extensions?.code;
    const foundByGraphql =
      unwrapResolverError(error) === error && typeof code === "string" && requestErrors.has(code);
    if (foundByGraphql) {
      return suggests ? formatted : { ...formatted, message: formatted.message.replace(suggestion, "") };
    }
    if (isTooManyErrors(error)) return { ...formatted, extensions: { code: "BAD_USER_INPUT" } };
    const errorId = events.internalError(cause);
    const where = formatted.path ? { path: formatted.path } : {};
    return {
      ...where,
      message: "The gateway failed to answer. Its operator finds the cause in the log under this errorId.",
      extensions: { code: "INTERNAL_SERVER_ERROR", errorId },
    };
  };
}

/** graphql-js's last word on variables with more than fifty errors, which Apollo knows no code for. */
function isTooManyErrors(error: unknown): boolean {
  return (
    error instanceof GraphQLError &&
    error.originalError === undefined &&
    error.path === undefined &&
    error.message.startsWith("Too many errors processing variables")
  );
}

/** What was thrown: by a resolver, or while the context was made, where Apollo's own function does not look. */
function causeOf(error: unknown): unknown {
  if (error instanceof GraphQLError && error.originalError instanceof GatewayError)
    return error.originalError;
  return unwrapResolverError(error);
}
