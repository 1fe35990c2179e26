/** Resolvers + access rules → an executable federation subgraph schema, and its printed form. */
import "reflect-metadata";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { printSchemaWithDirectives } from "@graphql-tools/utils";
import { parse, specifiedDirectives, type GraphQLSchema } from "graphql";
import {
  buildSchema,
  createResolversMap,
  type AuthChecker,
  type BuildSchemaOptions,
  type NonEmptyArray,
  type PubSub,
} from "type-graphql";
import {
  checkReferencedTypes,
  withReferences,
  type EntityReferences,
  type SubgraphResolvers,
} from "./entity-references";

/** The newest version that all three compose: Apollo's and Cosmo's know newer ones, Hive's stops here. */
const gatewayLink = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@authenticated", "@cost", "@key", "@listSize", "@requiresScopes", "@tag"])`;

/** type-graphql asks for one as soon as there is a subscription; ours bring their own events. */
const noPubSub: PubSub = {
  publish: () => undefined,
  subscribe: () => {
    throw new Error("A subscription must say where its events come from.");
  },
};

/** A resolver object made by the composition root, and what type-graphql knows of its class. */
export type ResolverInstance = object;

/** What a subgraph has that its resolvers do not tell: nothing, as to the gateway's own. */
export interface SubgraphExtras {
  /** The `extend schema` line that links the federation specification. */
  readonly link?: string;
  /** Definitions of directives that no linked specification has. */
  readonly directives?: NonNullable<BuildSchemaOptions["directives"]>;
  /** Classes of entities that no field leads to. */
  readonly unreachable?: NonNullable<BuildSchemaOptions["orphanedTypes"]>;
}

/**
 * The schema that `resolvers` describe, as a Federation 2 subgraph. The instances are used as they are, so two
 * gateways in one process stay apart. `typeDefs` is what the registry and `schema.graphql` hold.
 */
export async function buildGatewaySchema<TContext extends object, TAccess extends object>(
  resolvers: readonly ResolverInstance[],
  authChecker: AuthChecker<TContext, TAccess>,
  entities: EntityReferences,
  { link = gatewayLink, directives = [], unreachable = [] }: SubgraphExtras = {},
): Promise<{ readonly schema: GraphQLSchema; readonly typeDefs: string }> {
  const byClass = new Map(resolvers.map((resolver) => [resolver.constructor, resolver]));
  const plain = await buildSchema({
    resolvers: resolvers.map((resolver) => resolver.constructor) as unknown as NonEmptyArray<
      new () => object
    >,
    container: { get: (cls: new () => object) => byClass.get(cls) },
    authChecker,
    // GraphQL's own directives (`@deprecated` …) stay.
    directives: [...specifiedDirectives, ...directives],
    orphanedTypes: unreachable,
    // The services check every argument, for whoever calls them.
    validate: false,
    emitSchemaFile: false,
    pubSub: noPubSub,
  });
  const typeDefs = `${link}\n\n${printSchemaWithDirectives(plain)}\n`;
  const schema = buildSubgraphSchema({
    typeDefs: parse(typeDefs),
    resolvers: withReferences(createResolversMap(plain) as SubgraphResolvers, entities),
  });
  checkReferencedTypes(schema, Object.keys(entities));
  return { schema, typeDefs };
}
