/** What operations and requests are counted as when they fail: a code that we know, whatever an error says. */
import { errorCodes } from "../errors";
import { refusals } from "./http-refusal";

/** Apollo Server's own for what is wrong with a request; all are answered with a status below 500. */
const apolloCodes = [
  "GRAPHQL_PARSE_FAILED",
  "GRAPHQL_VALIDATION_FAILED",
  "OPERATION_RESOLUTION_FAILURE",
  "PERSISTED_QUERY_NOT_SUPPORTED",
];

const statuses = new Map<string, number>([
  ...Object.entries({ ...refusals, ...errorCodes }).map(([code, { status }]) => [code, status] as const),
  ...apolloCodes.map((code) => [code, 400] as const),
]);

/** The outcome of what has no errors. */
export const succeeded = "ok";

/** The outcome for an error's code. */
export function outcomeOf(code: unknown): string {
  return typeof code === "string" && statuses.has(code) ? code : "other";
}

/** Whether who was given this outcome was refused: he, or how much he asks for, is the reason. */
export function isRefusal(outcome: string): boolean {
  return (statuses.get(outcome) ?? 500) < 500;
}
