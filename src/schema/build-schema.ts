/** Resolvers + access rules → an executable federation subgraph schema, and its printed form. */
import "reflect-metadata";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { printSchemaWithDirectives } from "@graphql-tools/utils";
import { isObjectType, parse, specifiedDirectives, type GraphQLSchema } from "graphql";
import {
  buildSchema,
  createResolversMap,
  type AuthCheckerFn,
  type BuildSchemaOptions,
  type NonEmptyArray,
  type PubSub,
} from "type-graphql";
import { directResolvers, type DirectResolvers } from "./direct-resolvers";
import {
  checkReferences,
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

/** What {@link buildGatewaySchema} makes. */
export interface GatewaySchema {
  readonly schema: GraphQLSchema;
  /** What the registry and `schema.graphql` hold. */
  readonly typeDefs: string;
  /** The root fields' resolvers for who needs no graphql-js to call them. */
  readonly direct: DirectResolvers;
}

/**
 * The schema that `resolvers` describe, as a Federation 2 subgraph. The instances are used as they are, so two
 * gateways in one process stay apart.
 */
export async function buildGatewaySchema<TContext extends object, TAccess extends object>(
  resolvers: readonly ResolverInstance[],
  authChecker: AuthCheckerFn<TContext, TAccess>,
  entities: EntityReferences,
  { link = gatewayLink, directives = [], unreachable = [] }: SubgraphExtras = {},
): Promise<GatewaySchema> {
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
  const schema = buildSubgraphSchema([
    {
      typeDefs: parse(typeDefs),
      resolvers: withReferences(createResolversMap(plain) as SubgraphResolvers, entities),
    },
  ]);
  checkReferences(schema, entities);
  checkGuards(schema);
  return { schema, typeDefs, direct: directResolvers(byClass, authChecker) };
}

/** A field without a resolver is read as it is, and no access rule would be asked about it. Throws if one is guarded. */
function checkGuards(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const { name, resolve, astNode } of Object.values(type.getFields())) {
      const isGuarded = astNode?.directives?.some((each) => guards.has(each.name.value));
      if (isGuarded && !resolve) throw new Error(`${type.name}.${name} is guarded, and has no resolver.`);
    }
  }
}

const guards = new Set(["authenticated", "requiresScopes"]);
