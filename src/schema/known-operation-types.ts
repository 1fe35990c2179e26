/** A validation rule: a document may only hold operations of a kind that the schema has. */
import { GraphQLError, type ASTVisitor, type ValidationContext } from "graphql";

/** graphql-js 16 finds a subscription without a subscription type while it executes, and then it looks like a fault of ours. */
export function knownOperationTypes(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(node) {
      if (context.getSchema().getRootType(node.operation)) return;
      context.reportError(new GraphQLError(`This API has no ${node.operation} operations.`, { nodes: node }));
    },
  };
}
