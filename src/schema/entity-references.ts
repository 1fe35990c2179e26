/** Makes entities out of the references that a federation router sends, and tells a reference to anything else apart. */
import type { GraphQLSchemaModule } from "@apollo/subgraph";
import type { GraphQLSchema } from "graphql";
import { badInput } from "../errors";

/** Apollo's name for a map of resolvers; type-graphql has another for the same thing. */
export type SubgraphResolvers = NonNullable<GraphQLSchemaModule["resolvers"]>;

/** How each entity is made out of a federation router's reference to it; null when there is no such entity. */
export type EntityReferences = Readonly<
  Record<string, (reference: Readonly<Record<string, unknown>>) => object | null>
>;

/** The resolvers with a way to each entity from a reference to it. */
export function withReferences(resolvers: SubgraphResolvers, entities: EntityReferences): SubgraphResolvers {
  const merged = { ...resolvers };
  for (const [type, make] of Object.entries(entities)) {
    // In a promise, so that one bad reference is null and an error, and the others of its batch are answered.
    const __resolveReference = (reference: Readonly<Record<string, unknown>>) =>
      Promise.resolve(reference).then(make);
    merged[type] = { ...(resolvers[type] as object), __resolveReference };
  }
  return merged;
}

/** So many bad references have an error of their own: an answer tells no more. */
const maxBad = 20;

/**
 * Refuses all references together when one is to a type that is no entity, which Apollo's own resolver takes for a fault
 * of the server, and when too many are bad.
 */
export function checkReferences(schema: GraphQLSchema, entities: EntityReferences): void {
  const types = Object.keys(entities);
  const field = schema.getQueryType()?.getFields()._entities;
  const resolve = field?.resolve;
  if (!resolve) throw new Error("The schema has no entities.");
  field.resolve = (source, args: { readonly representations: readonly unknown[] }, context, info) => {
    let bad = 0;
    for (const reference of args.representations as readonly (Readonly<Record<string, unknown>> | null)[]) {
      const type = reference?.__typename;
      if (typeof type !== "string" || !types.includes(type)) {
        throw badInput("representations", `Each __typename must be one of ${types.join(", ")}.`);
      }
      try {
        entities[type]?.(reference ?? {});
      } catch (error) {
        if (++bad > maxBad) throw error;
      }
    }
    return resolve(source, args, context, info);
  };
}
