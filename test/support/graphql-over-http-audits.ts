/** Runs the audit suite of the graphql-http package, which checks the GraphQL over HTTP specification, against a URL. */
import { auditServer, type AuditResult } from "graphql-http";

/** Where to audit, and what every request carries besides (credentials). */
export interface AuditTarget {
  /** The GraphQL endpoint. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The outcome: how many audits ran, and a line for each that was not ok, SHOULDs and MAYs included. */
export interface AuditOutcome {
  readonly total: number;
  readonly notOk: readonly string[];
}

/** Runs all audits at once. */
export async function auditGraphqlOverHttp({ url, headers = {} }: AuditTarget): Promise<AuditOutcome> {
  const results: AuditResult[] = await auditServer({
    url,
    fetchFn: (input: string, init: RequestInit = {}) =>
      fetch(input, {
        ...init,
        headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
      }),
  });
  return {
    total: results.length,
    notOk: results.flatMap((result) =>
      result.status === "ok" ? [] : [`${result.id} ${result.status}: ${result.name} (${result.reason})`],
    ),
  };
}
