/** Notes what the operations that Apollo Server answers are called, and lets them in: it alone knows what it has parsed. */
import type {
  ApolloServerPlugin,
  BaseContext,
  GraphQLRequestListener,
  HTTPGraphQLRequest,
} from "@apollo/server";
import type { OperationDefinitionNode } from "graphql";
import { operationLabel, type OperationLabel } from "../schema/operation-label";
import type { Span } from "../services/telemetry/span";
import { nameOperation } from "./operation-span";

/** The contexts of operations, of which some are traced. */
export interface TracedContext extends BaseContext {
  readonly call?: { readonly span?: Span | undefined };
}

/** The labels of operations that Apollo Server has found to be valid. */
export class OperationLabels<TContext extends TracedContext> {
  /** By their requests: of the context Apollo Server makes a copy. */
  readonly #labels = new WeakMap<HTTPGraphQLRequest, OperationLabel>();

  /** @param admit throws when who asks is not let in */
  constructor(private readonly admit: (operation: OperationLabel, context: TContext) => void) {}

  /** For Apollo Server; to come before the plugins that look at variables. */
  plugin(): ApolloServerPlugin<TContext> {
    const listener: GraphQLRequestListener<TContext> = {
      didResolveOperation: ({ request, document, operation, contextValue }) => {
        if (!request.http || !wasFound(operation)) return done;
        const label = operationLabel(document, operation);
        this.#labels.set(request.http, label);
        if (contextValue.call?.span) nameOperation(contextValue.call.span, label);
        this.admit(label, contextValue);
        return done;
      },
    };
    const started = Promise.resolve(listener);
    return { requestDidStart: () => started };
  }

  /** Undefined when it was not valid, or its sender was not let in. */
  of(request: HTTPGraphQLRequest): OperationLabel | undefined {
    return this.#labels.get(request);
  }
}

const done = Promise.resolve();

/** Apollo Server asks about an operation that it has not found, too, whatever its types say. */
function wasFound(operation: OperationDefinitionNode | undefined): operation is OperationDefinitionNode {
  return operation !== undefined;
}
