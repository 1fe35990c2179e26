/** Apollo's formatError: our errors and GraphQL's own pass, everything else is masked and logged under an id. */
import { unwrapResolverError } from "@apollo/server/errors";
import { GraphQLError, type GraphQLFormattedError } from "graphql";
import { cut } from "../cut";
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

/** How graphql-js begins the end of a message about a name that it does not know. */
const suggestion = " Did you mean ";

/** The longest message of an error, and the longest path as JSON: both can hold what the client has chosen. */
const [maxMessage, maxPath] = [500, 500];

/**
 * Makes Apollo's `formatError`.
 * @param suggests false: names of the schema that are near to a misspelt one are kept back. Apollo Server's own option
 * does not look among variables, and takes time that grows with the square of the message.
 */
export function presentErrors(
  events: Pick<Events, "internalError">,
  suggests = true,
): (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError {
  const present = (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
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
      return suggests ? formatted : { ...formatted, message: withoutSuggestion(formatted.message) };
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
  return (formatted, error) => bounded(present(formatted, error));
}

function bounded({ path, ...error }: GraphQLFormattedError): GraphQLFormattedError {
  const isShort = path !== undefined && JSON.stringify(path).length <= maxPath;
  return { ...error, message: cut(error.message, maxMessage), ...(isShort && { path }) };
}

function withoutSuggestion(message: string): string {
  // The client's own words may hold it too: graphql-js's come last.
  const start = message.endsWith("?") ? message.lastIndexOf(suggestion) : -1;
  return start < 0 ? message : message.slice(0, start);
}

/** graphql-js's last word on variables with too many errors, which Apollo knows no code for. */
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
