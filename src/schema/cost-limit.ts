/** Apollo Server's plugin that refuses an operation that would cost too much, before any of it runs. */
import type { ApolloServerPlugin, BaseContext, GraphQLRequestListener } from "@apollo/server";
import { GraphQLError, type GraphQLSchema } from "graphql";
import { badInput, GatewayError } from "../errors";
import { OperationCosts } from "./operation-cost";

/** Makes the plugin for a server of `schema`. Refuses with `OPERATION_TOO_COMPLEX`. */
export function costLimit(schema: GraphQLSchema, maxCost: number): ApolloServerPlugin {
  const costs = new OperationCosts(schema);
  const listener: GraphQLRequestListener<BaseContext> = {
    didResolveOperation({ document, operation, request }) {
      // Which operation is meant is for execution to ask.
      if (!operation) return done;
      const cost = priced(() => costs.of(document, operation, request.variables));
      if (cost !== undefined && cost > maxCost) {
        throw new GatewayError(
          "OPERATION_TOO_COMPLEX",
          `The operation costs ${cost}, and ${maxCost} is the most that one may: split it.`,
          { cost, limit: maxCost },
        );
      }
      return done;
    },
  };
  const started = Promise.resolve(listener);
  return { requestDidStart: () => started };
}

const done = Promise.resolve();

/** What cannot be priced is not run: an argument whose variable does not fit it, although it is of its type. */
function priced(price: () => number | undefined): number | undefined {
  try {
    return price();
  } catch (error) {
    if (error instanceof GraphQLError) throw badInput("variables", error.message);
    throw error;
  }
}
