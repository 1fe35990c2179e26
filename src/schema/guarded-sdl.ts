/** Keeps the schema's text, which federation serves as `_service { sdl }`, from whoever may not read it. */
import type { GraphQLSchema } from "graphql";

/** Lets `check`, given the request's context, throw before the schema's text is given away. */
export function guardSdl(schema: GraphQLSchema, check: (context: never) => void): void {
  const field = schema.getQueryType()?.getFields()._service;
  const resolve = field?.resolve;
  if (!resolve) throw new Error("The schema is no subgraph.");
  field.resolve = (source, args, context, info) => {
    check(context as never);
    return resolve(source, args, context, info);
  };
}
