/** Resolvers + access rules → an executable federation subgraph schema, and its printed form. */
import "reflect-metadata";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { printSchemaWithDirectives } from "@graphql-tools/utils";
import { parse, type GraphQLSchema } from "graphql";
import { buildSchema, createResolversMap, type AuthChecker, type NonEmptyArray } from "type-graphql";
import { badInput } from "../errors";

/** The newest federation version that the pinned `@apollo/subgraph` knows and all common gateways compose. */
const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])`;

/** Apollo's name for a map of resolvers; type-graphql has another for the same thing. */
type SubgraphResolvers = NonNullable<
  Extract<Parameters<typeof buildSubgraphSchema>[0], { resolvers?: unknown }>["resolvers"]
>;

/** A resolver object made by the composition root, and what type-graphql knows of its class. */
export type ResolverInstance = object;

/** How each entity is made out of a federation router's reference to it. */
export type EntityReferences = Readonly<
  Record<string, (reference: Readonly<Record<string, unknown>>) => object>
>;

/**
 * The schema that `resolvers` describe, as a Federation 2 subgraph. The instances are used as they are, so two
 * gateways in one process stay apart. `typeDefs` is what the registry and `schema.graphql` hold.
 */
export async function buildGatewaySchema<TContext extends object>(
  resolvers: readonly ResolverInstance[],
  authChecker: AuthChecker<TContext>,
  entities: EntityReferences,
): Promise<{ readonly schema: GraphQLSchema; readonly typeDefs: string }> {
  const byClass = new Map(resolvers.map((resolver) => [resolver.constructor, resolver]));
  const plain = await buildSchema({
    resolvers: resolvers.map((resolver) => resolver.constructor) as unknown as NonEmptyArray<
      new () => object
    >,
    container: { get: (cls: new () => object) => byClass.get(cls) },
    authChecker,
    // The services check every argument, for whoever calls them.
    validate: false,
    emitSchemaFile: false,
  });
  const typeDefs = `${link}\n\n${printSchemaWithDirectives(plain)}\n`;
  const schema = buildSubgraphSchema({
    typeDefs: parse(typeDefs),
    resolvers: withReferences(createResolversMap(plain) as SubgraphResolvers, entities),
  });
  checkReferencedTypes(schema, Object.keys(entities));
  return { schema, typeDefs };
}

function withReferences(resolvers: SubgraphResolvers, entities: EntityReferences): SubgraphResolvers {
  const merged = { ...resolvers };
  for (const [type, make] of Object.entries(entities)) {
    // In a promise, so that one bad reference is null and an error, and the others of its batch are answered.
    const __resolveReference = (reference: Readonly<Record<string, unknown>>) =>
      Promise.resolve(reference).then(make);
    merged[type] = { ...(resolvers[type] as object), __resolveReference };
  }
  return merged;
}

/** Apollo's own resolver takes a reference to a type that is no entity for a fault of the server. */
function checkReferencedTypes(schema: GraphQLSchema, types: readonly string[]): void {
  const field = schema.getQueryType()?.getFields()._entities;
  const resolve = field?.resolve;
  if (!resolve) throw new Error("The schema has no entities.");
  field.resolve = (source, args: { readonly representations: readonly unknown[] }, context, info) => {
    for (const reference of args.representations) {
      const { __typename: type } = (reference ?? {}) as { __typename?: unknown };
      if (typeof type !== "string" || !types.includes(type)) {
        throw badInput("representations", `Each __typename must be one of ${types.join(", ")}.`);
      }
    }
    return resolve(source, args, context, info);
  };
}
