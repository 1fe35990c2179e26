/** The operations that have been compiled, each once: learned from those that Apollo Server has found to be valid. */
import type { ApolloServerPlugin, BaseContext, GraphQLRequestContext } from "@apollo/server";
import { LRUCache } from "lru-cache";
import type { GatewaySchema } from "../schema/build-schema";
import { compileOperation, type CompiledOperation } from "./compile-operation";

/** How much is remembered. */
interface CompiledLimits {
  /** Documents. */
  readonly documents: number;
  /** Characters of all their texts together. */
  readonly characters: number;
}

/** Room for what the apps of a gateway send, and no more than some megabytes whatever strangers send. */
const compiledLimits: CompiledLimits = { documents: 1_000, characters: 2_000_000 };

/** Of one document: its operations by their names, and the one that is meant when no name is given. */
type Operations = Map<string | undefined, CompiledOperation | undefined>;

/**
 * An operation is compiled when Apollo Server is about to execute it for the first time: then it is parsed, valid,
 * within all limits, and its price does not depend on variables, for what would make it depend is not compiled. The
 * documents that were not used for longest are forgotten first.
 */
export class CompiledOperations {
  private readonly documents: LRUCache<string, Operations>;

  constructor(
    private readonly schema: Pick<GatewaySchema, "schema" | "direct">,
    limits = compiledLimits,
  ) {
    this.documents = new LRUCache({
      max: limits.documents,
      maxSize: limits.characters,
      sizeCalculation: (_, text) => text.length + 1,
    });
  }

  /** The operation that a request means, if it is known. */
  find(text: string, operationName: string | undefined): CompiledOperation | undefined {
    return this.documents.get(text)?.get(operationName);
  }

  /** For Apollo Server. */
  plugin<TContext extends BaseContext>(): ApolloServerPlugin<TContext> {
    const started = Promise.resolve({
      executionDidStart: (request: GraphQLRequestContext<TContext>) => {
        this.learn(request);
        return done;
      },
    });
    return { requestDidStart: () => started };
  }

  private learn<TContext extends BaseContext>({
    source,
    document,
    operation,
    request,
  }: GraphQLRequestContext<TContext>): void {
    if (source === undefined || !document || !operation) return;
    const operations = this.documents.get(source) ?? new Map();
    const name = request.operationName ?? undefined;
    if (operations.has(name)) return;
    operations.set(name, compileOperation(this.schema, document, operation));
    this.documents.set(source, operations);
  }
}

const done = Promise.resolve();
