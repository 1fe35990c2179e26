/** Notes what the operations that Apollo Server answers are called, for the log. */
import type { ApolloServerPlugin, BaseContext, HTTPGraphQLRequest } from "@apollo/server";
import { labelOf } from "../schema/operation-label";

/** What an operation is called: by its fields, and by its client. */
export interface OperationNames {
  readonly label: string;
  /** The name in the client's document, if it has one. */
  readonly name: string | undefined;
}

export class OperationLabels {
  /** By the request, of which Apollo Server makes no copy. */
  readonly #known = new WeakMap<HTTPGraphQLRequest, OperationNames>();

  /** For Apollo Server: what it has found to be valid gets its label. */
  plugin<TContext extends BaseContext>(): ApolloServerPlugin<TContext> {
    return {
      requestDidStart: () =>
        Promise.resolve({
          didResolveOperation: ({ request, operation }) => {
            // Apollo Server asks about an operation that it has not found, too.
            if (operation && request.http) {
              this.#known.set(request.http, { label: labelOf(operation), name: operation.name?.value });
            }
            return Promise.resolve();
          },
        }),
    };
  }

  /** Undefined when it was not valid. */
  of(request: HTTPGraphQLRequest): OperationNames | undefined {
    return this.#known.get(request);
  }
}
