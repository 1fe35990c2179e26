/** The operations that clients may name instead of sending them, from a manifest; it can be made all that is served. */
import { readFileSync } from "node:fs";
import type { HTTPGraphQLRequest } from "@apollo/server";
import { parse, stripIgnoredCharacters } from "graphql";
import { z } from "zod";
import { HttpRefusal } from "./http-refusal";
import { StartupError } from "../startup-error";

/** The manifest cannot be used. The message is for the operator, says what is wrong and what would be right. */
class OperationListUnusable extends StartupError {
  override readonly name = "OperationListUnusable";
}

/** One operation of a list: what clients call it, and its document with all that it needs. */
export interface ListedOperation {
  readonly id: string;
  readonly body: string;
}

const apolloManifest = z.object({
  format: z.literal("apollo-persisted-query-manifest"),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string().min(1), body: z.string().min(1) })),
});
const codegenManifest = z.record(z.string().min(1), z.string().min(1));

/**
 * Reads the manifest at `path`: Apollo's (`{"format":"apollo-persisted-query-manifest","version":1,"operations":[…]}`,
 * which `acs-token-gateway operations` writes too) or GraphQL Code Generator's (`{"<id>":"<document>"}`).
 * @param required true: whatever is not on the list is refused.
 * @throws {@link OperationListUnusable}
 */
export function readOperationList(path: string, required: boolean): OperationList {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new OperationListUnusable(
      `The operation list ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"}).`,
    );
  }
  try {
    return new OperationList(operationsOf(text), required);
  } catch (error) {
    if (!(error instanceof OperationListUnusable)) throw error;
    throw new OperationListUnusable(`The operation list ${path} cannot be used: ${error.message}`);
  }
}

/** The operations of a manifest's text. */
function operationsOf(text: string): readonly ListedOperation[] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new OperationListUnusable("it is not JSON.");
  }
  const apollo = apolloManifest.safeParse(manifest);
  if (apollo.success) return apollo.data.operations;
  const codegen = codegenManifest.safeParse(manifest);
  if (codegen.success && !("format" in codegen.data)) {
    return Object.entries(codegen.data).map(([id, body]) => ({ id, body }));
  }
  throw new OperationListUnusable(
    "it must be Apollo's persisted query manifest, version 1, with the id and body of each operation, or an object of documents by their ids.",
  );
}

/** How ids of the kind that everybody knows may begin (GraphQL over HTTP, appendix on persisted documents). */
const prefix = "sha256:";

/** What of a request says which operation it means. */
export type SentOperation = Pick<HTTPGraphQLRequest, "method" | "search" | "body">;

/** The list. It is asked before Apollo Server is, so that what it refuses is not even parsed. */
export class OperationList {
  private readonly bodies = new Map<string, string>();
  /** The listed text by itself and by its text without spaces and comments, since clients print in ways of their own. */
  private readonly texts = new Map<string, string>();
  private readonly longestText: number;

  /** Throws {@link OperationListUnusable} for an empty list, a document that is not GraphQL, an id with two documents. */
  constructor(
    operations: readonly ListedOperation[],
    /** True: nothing else is served. */
    readonly required: boolean,
  ) {
    for (const { id, body } of operations) {
      const key = withoutPrefix(id);
      if ((this.bodies.get(key) ?? body) !== body) {
        throw new OperationListUnusable(`it has two documents with the id ${id}.`);
      }
      try {
        parse(body);
      } catch (error) {
        throw new OperationListUnusable(`the document ${id} is not GraphQL (${(error as Error).message}).`);
      }
      this.bodies.set(key, body);
      this.texts.set(stripIgnoredCharacters(body), body);
      this.texts.set(body, body);
    }
    if (this.bodies.size === 0) throw new OperationListUnusable("it lists no operation.");
    this.longestText = Math.max(...[...this.texts.keys()].map(({ length }) => length));
  }

  get size(): number {
    return this.bodies.size;
  }

  /**
   * The request with the document that it names, or as it is. What is no GraphQL request at all is left for Apollo
   * Server to refuse.
   * @throws {@link HttpRefusal} `PERSISTED_QUERY_NOT_FOUND`, or, when the list is all that is served,
   * `OPERATION_NOT_LISTED`.
   */
  resolve(sent: SentOperation): SentOperation {
    return sent.method === "GET" ? this.resolveGet(sent) : this.resolvePost(sent);
  }

  private resolvePost(sent: SentOperation): SentOperation {
    const { documentId, ...rest } = sent.body as Record<string, unknown>;
    const { id, others } = persistedIn(rest.extensions);
    const query = this.document(rest.query, documentId ?? id);
    if (query === undefined) return sent;
    return { ...sent, body: { ...rest, query, ...(others && { extensions: others }) } };
  }

  private resolveGet(sent: SentOperation): SentOperation {
    const search = new URLSearchParams(sent.search);
    const queries = search.getAll("query");
    // Apollo Server refuses whatever stands there twice.
    if (queries.length > 1 || search.getAll("extensions").length > 1) return sent;
    const { id, others } = persistedIn(parsed(search.get("extensions")));
    const document = this.document(queries[0], search.get("documentId") ?? id);
    if (document === undefined) return sent;
    search.delete("documentId");
    search.set("query", document);
    if (others) search.set("extensions", JSON.stringify(others));
    return { ...sent, search: `?${search.toString()}` };
  }

  /** The document to run; undefined if the request brings neither a text nor an id that could be one. */
  private document(text: unknown, id: unknown): string | undefined {
    if (typeof text === "string" && text !== "") {
      const listed = this.required ? this.listed(text) : text;
      if (listed === undefined) throw notListed();
      return listed;
    }
    if (typeof id !== "string") return undefined;
    const body = this.bodies.get(withoutPrefix(id));
    if (body !== undefined) return body;
    if (this.required) throw notListed();
    throw new HttpRefusal("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
  }

  private listed(text: string): string | undefined {
    const same = this.texts.get(text);
    // What is far longer than anything listed is not worth reading.
    if (same !== undefined || text.length > 2 * this.longestText) return same;
    try {
      return this.texts.get(stripIgnoredCharacters(text));
    } catch {
      return undefined;
    }
  }
}

function notListed(): HttpRefusal {
  return new HttpRefusal(
    "OPERATION_NOT_LISTED",
    "This gateway serves only the operations of its list, and this is none of them.",
  );
}

function withoutPrefix(id: string): string {
  return id.startsWith(prefix) ? id.slice(prefix.length) : id;
}

/** The id that `extensions.persistedQuery` brings, and the extensions without it: Apollo Server knows no ids here. */
function persistedIn(extensions: unknown): { readonly id?: unknown; readonly others?: object } {
  if (typeof extensions !== "object" || extensions === null || Array.isArray(extensions)) return {};
  const { persistedQuery, ...others } = extensions as Record<string, unknown>;
  return { id: (persistedQuery as { sha256Hash?: unknown } | null | undefined)?.sha256Hash, others };
}

function parsed(json: string | null): unknown {
  if (json === null) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
