/** The span of a GraphQL operation, whichever way it is answered. */
import type { OperationLabel } from "../schema/operation-label";
import type { Span } from "../services/telemetry/span";

/** Begins it: what the operation is, is known later. */
export function beginOperation(request: Span): Span {
  return request.child({ name: "GraphQL operation", kind: "internal" });
}

/** Tells which operation it is (semantic conventions for GraphQL): never its document nor its variables. */
export function nameOperation(span: Span, { type, field, name }: OperationLabel): void {
  span.rename(`${type} ${field}`);
  span.set("graphql.operation.type", type);
  span.set("acs_token_gateway.operation", field);
  if (name !== undefined) span.set("graphql.operation.name", name);
}

/** Tells how it ended, by its answer as JSON: the code of the first error, and where the log tells more of it. */
export function endOperation(span: Span, answer: string): void {
  const { code, errorId } = firstError(answer) ?? {};
  if (code !== undefined) span.fail(code);
  // The log has the cause under it.
  if (errorId !== undefined) span.set("acs_token_gateway.error_id", errorId);
}

function firstError(answer: string): { readonly code?: string; readonly errorId?: string } | undefined {
  // Nearly all answers have none.
  if (!answer.includes('"errors"')) return undefined;
  try {
    const { errors } = JSON.parse(answer) as {
      readonly errors?: readonly {
        readonly extensions?: { readonly code?: string; readonly errorId?: string };
      }[];
    };
    return errors?.[0] && { code: "UNKNOWN", ...errors[0].extensions };
  } catch {
    // It is a page.
    return undefined;
  }
}
