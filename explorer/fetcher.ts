/** Sends GraphiQL's operations to the gateway. */
import type { GraphiQLProps } from "graphiql";
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
      body: JSON.stringify(operation),
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
