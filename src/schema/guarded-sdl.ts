/** Keeps the schema's text, which federation serves as `_service { sdl }`, from whoever may not read it. */
import type { GraphQLSchema } from "graphql";

/** Lets `check` throw, for each request's context, before the schema's text is given away. */
export function guardSdl<TContext>(schema: GraphQLSchema, check: (context: TContext) => void): void {
  const field = schema.getQueryType()?.getFields()._service;
  const resolve = field?.resolve;
  if (!resolve) throw new Error("The schema is no subgraph.");
  field.resolve = (source, args, context: TContext, info) => {
    check(context);
    return resolve(source, args, context, info) as unknown;
  };
}
