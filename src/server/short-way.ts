/** The short way of a request: past Apollo Server, for operations that it has had before and that were compiled then. */
import type { IncomingMessage } from "node:http";
import { LRUCache } from "lru-cache";
import type { OperationLabel } from "../schema/operation-label";
import type { SentOperation } from "./operation-list";

/** An operation that can be run without Apollo Server. */
interface RunnableOperation {
  /** What it is called in logs, metrics and traces. */
  readonly label: OperationLabel;
  /**
   * The answer, as Apollo Server would write it; undefined when it has to: with the same context, in which it finds
   * what has been done already.
   */
  run(context: object, variables: Readonly<Record<string, unknown>>): Promise<string | undefined>;
}

/** Operations that can be run without Apollo Server. */
export interface RunnableOperations {
  find(text: string, operationName: string | undefined): RunnableOperation | undefined;
}

/** A request that can take the short way. */
export interface ShortRequest {
  readonly operation: RunnableOperation;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Of the answer, if the operation can give it. */
  readonly contentType: string;
}

/** What an answer without Apollo Server depends on. */
interface Asked {
  readonly query: string;
  readonly operationName: string | null | undefined;
  readonly accept: string;
}

/** Accept headers that are remembered, and the longest of them: clients have few. */
const [maxAccepts, maxAcceptLength] = [100, 256];
const noAccept = "(none)";

/** Knows which requests can take it. Whatever is unusual about a request is for Apollo Server to judge. */
export class ShortWay {
  /** What Apollo Server has chosen for each Accept header, which is all that its choice depends on. */
  private readonly contentTypes = new LRUCache<string, string>({ max: maxAccepts });

  private last: (Pick<ShortRequest, "operation" | "contentType"> & Asked) | undefined;

  constructor(private readonly operations: RunnableOperations) {}

  /** Undefined for what cannot. */
  find({ method, body }: SentOperation, request: IncomingMessage): ShortRequest | undefined {
    if (method !== "POST") return undefined;
    const { query, operationName, variables, extensions } = body as Readonly<Record<string, unknown>>;
    if (typeof query !== "string" || !isNameOrNothing(operationName)) return undefined;
    if (!isObjectOrNothing(variables) || !isObjectOrNothing(extensions)) return undefined;
    if (extensions?.persistedQuery) return undefined;
    const { accept = noAccept } = request.headers;
    const { last } = this;
    // An app sends the same again and again: to compare texts is quicker than to look them up.
    if (last?.query === query && last.operationName === operationName && last.accept === accept) {
      const { operation, contentType } = last;
      return { operation, contentType, variables: variables ?? {} };
    }
    const operation = this.operations.find(query, operationName ?? undefined);
    const contentType = this.contentTypes.get(accept);
    if (!operation || contentType === undefined) return undefined;
    this.last = { query, operationName, accept, operation, contentType };
    return { operation, contentType, variables: variables ?? {} };
  }

  /** Apollo Server has chosen this type for data that the request asked for. */
  learn({ headers: { accept = noAccept } }: IncomingMessage, contentType: string): void {
    if (accept.length <= maxAcceptLength) this.contentTypes.set(accept, contentType);
  }
}

function isNameOrNothing(value: unknown): value is string | null | undefined {
  return typeof value === "string" || value === null || value === undefined;
}

function isObjectOrNothing(value: unknown): value is Readonly<Record<string, unknown>> | null | undefined {
  return value === null || value === undefined || (typeof value === "object" && !Array.isArray(value));
}
