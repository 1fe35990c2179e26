/** Sends GraphiQL's operations to the gateway. */
import type { GraphiQLProps } from "graphiql";
import { getOperationAST, parse } from "graphql";
import { noteIdentity } from "./identity";

type Fetcher = GraphiQLProps["fetcher"];

/** Posts each operation to `endpoint`, as GraphQL over HTTP asks for. Rejects when the answer is not a GraphQL one. */
export function fetcherFor(endpoint: string): Fetcher {
  return async (operation, options) => {
    const headers = Object.entries(options?.headers ?? {});
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        // An empty header is one that is still to be filled in.
        ...Object.fromEntries(
          headers.filter(([, value]) => value !== "").map(([name, value]) => [name, String(value)]),
        ),
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
      },
      body: JSON.stringify({ ...operation, operationName: nameOf(operation) }),
      credentials: "omit",
    });
    if (!response.headers.get("content-type")?.includes("json")) {
      throw new Error(
        `The gateway answered ${response.status} ${response.statusText}, which is not a GraphQL answer.`,
      );
    }
    const answer: unknown = await response.json();
    noteIdentity(answer);
    return answer as Awaited<ReturnType<Fetcher>>;
  };
}

/**
 * The operation to run. For a moment after a tab was opened, GraphiQL asks for the one of the tab before: where there
 * is no choice, its wish does not count.
 */
function nameOf({ query, operationName }: Parameters<Fetcher>[0]): string | null | undefined {
  try {
    const only = getOperationAST(parse(query));
    return only ? only.name?.value : operationName;
  } catch {
    // The gateway says what is wrong with it.
    return operationName;
  }
}
