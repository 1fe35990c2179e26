/** Sends GraphiQL's operations to the gateway. */
import type { GraphiQLProps } from "graphiql";
import { getOperationAST, OperationTypeNode, parse } from "graphql";
import { createClient } from "graphql-sse";
import { noteIdentity } from "./identity";

type Fetcher = GraphiQLProps["fetcher"];

/** Posts each operation to `endpoint`, as GraphQL over HTTP asks for. Rejects when the answer is not a GraphQL one. */
export function fetcherFor(endpoint: string): Fetcher {
  return async (operation, options) => {
    // An empty header is one that is still to be filled in.
    const headers = Object.fromEntries(
      Object.entries(options?.headers ?? {})
        .filter(([, value]) => value !== "")
        .map(([name, value]) => [name, String(value)]),
    );
    const toRun = { ...operation, operationName: nameOf(operation) ?? null };
    if (isSubscription(toRun)) return subscribe(endpoint, headers, toRun);
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        ...headers,
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
      },
      body: JSON.stringify(toRun),
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

/** The events of a subscription, until GraphiQL's stop button ends them. */
function subscribe(
  url: string,
  headers: Record<string, string>,
  { query, operationName, variables }: Parameters<Fetcher>[0],
): ReturnType<Fetcher> {
  const client = createClient({ url, headers, credentials: "omit", retryAttempts: 0 });
  return client.iterate({
    query,
    variables: (variables ?? {}) as Record<string, unknown>,
    ...(operationName ? { operationName } : {}),
  }) as ReturnType<Fetcher>;
}

function isSubscription({ query, operationName }: Parameters<Fetcher>[0]): boolean {
  try {
    return getOperationAST(parse(query), operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
  } catch {
    return false;
  }
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
