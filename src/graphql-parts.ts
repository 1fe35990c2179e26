/** Builds what answers operations: the schema, Apollo Server with its limits, and the way past it. */
import { ApolloServer } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from "@apollo/server/plugin/disabled";
import type { ClosingList } from "./closing-list";
import { CompiledOperations } from "./compiled/compiled-operations";
import { replayOutcomes } from "./compiled/recorded-outcomes";
import type { Config } from "./config";
import { accessRules, callerOf, mayReadSchema, needsCaller } from "./resolvers/access-rules";
import { identityByReference, IdentityResolver } from "./resolvers/identity-resolver";
import type { OwnIdentity } from "./resolvers/own-identity";
import { presentErrors } from "./resolvers/present-error";
import type { RequestContext } from "./resolvers/context";
import { RevocationResolver } from "./resolvers/revocation-resolver";
import { TokenResolver } from "./resolvers/token-resolver";
import { ViewerResolver } from "./resolvers/viewer-resolver";
import { buildGatewaySchema, type GatewaySchema } from "./schema/build-schema";
import { costLimit } from "./schema/cost-limit";
import { guardSdl } from "./schema/guarded-sdl";
import { knownOperationTypes } from "./schema/known-operation-types";
import type { OperationLabel } from "./schema/operation-label";
import { defaultOperationLimits, maxRequestErrors, type OperationLimits } from "./schema/operation-limits";
import { OperationLabels } from "./server/operation-labels";
import { sandbox } from "./server/sandbox";
import { Subscriptions } from "./server/subscriptions";
import type { IdentityLifecycle } from "./services/identities/identity-lifecycle";
import type { Events } from "./services/telemetry/events";
import type { TokenService } from "./services/tokens/token-service";

/** How a test may have operations answered. */
export interface OwnAnswering {
  /** How large an operation may be. */
  readonly limits: Partial<OperationLimits>;
  /** False: Apollo Server answers everything, and nothing is compiled. */
  readonly compile: boolean;
}

/** What answers operations. */
export interface Answering {
  /** Has started; is stopped when the gateway closes. */
  readonly apollo: ApolloServer<RequestContext>;
  readonly compiled: CompiledOperations | undefined;
  readonly subscriptions: Subscriptions;
  readonly labels: OperationLabels<RequestContext>;
  /** Whether who asks for the operation is let in. */
  readonly admits: (operation: OperationLabel, context: RequestContext) => boolean;
}

/** The schema of a gateway's resolvers, which are asked nothing while they are described. */
export function describeApi(
  tokens: TokenService,
  identities: IdentityLifecycle,
  own: OwnIdentity,
): Promise<GatewaySchema> {
  const resolvers = [
    new TokenResolver(tokens, own),
    new IdentityResolver(identities, own),
    new ViewerResolver(own),
    new RevocationResolver(),
  ];
  return buildGatewaySchema(resolvers, accessRules, { Identity: identityByReference });
}

/**
 * Starts Apollo Server on a schema, and compiles what it has answered.
 * @param operations the document that Apollo Sandbox begins with
 */
export async function startAnswering(
  { schema, direct }: GatewaySchema,
  { production, explorer, http }: Config,
  operations: string,
  events: Events,
  closing: ClosingList,
  own: Partial<OwnAnswering>,
): Promise<Answering> {
  const limits = { ...defaultOperationLimits, ...own.limits };
  const introspection = !production || explorer;
  if (!introspection) guardSdl(schema, mayReadSchema);
  const compiled = own.compile === false ? undefined : new CompiledOperations({ schema, direct });
  if (compiled) replayOutcomes(schema);
  const formatError = presentErrors(events, !production);
  // Half of the connections are left to those who ask and go.
  const subscriptions = new Subscriptions(formatError, Math.ceil(http.maxConnections / 2));
  const labels = new OperationLabels<RequestContext>((operation, context) => {
    if (needsCaller(operation.field)) callerOf(context);
  });
  const apollo = new ApolloServer<RequestContext>({
    schema,
    formatError,
    // Apollo Server would read NODE_ENV itself, and take all but one spelling for development.
    nodeEnv: production ? "production" : "development",
    introspection,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    persistedQueries: false,
    // To find the place of each error, graphql-js would read the document from its beginning again.
    parseOptions: { maxLexicalTokens: limits.maxTokens, noLocation: true },
    validationOptions: { maxErrors: maxRequestErrors },
    executionOptions: { maxCoercionErrors: maxRequestErrors },
    maxRecursiveSelections: limits.maxSelections,
    validationRules: [knownOperationTypes],
    plugins: [
      // Before all that looks at variables: it refuses callers who have sent no credential.
      labels.plugin(),
      costLimit(schema, limits.maxCost),
      subscriptions.plugin<RequestContext>(),
      ...(compiled ? [compiled.plugin<RequestContext>()] : []),
      // Nothing may be cached here; the plugin would put a layer around every field's resolver.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      // A variable of Apollo's own would turn it on.
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      sandbox(explorer ? operations : undefined),
    ],
  });
  await apollo.start();
  closing.add({ [Symbol.asyncDispose]: () => apollo.stop() });
  const admits = (operation: OperationLabel, { caller }: RequestContext) =>
    caller !== undefined || !needsCaller(operation.field);
  return { apollo, compiled, subscriptions, labels, admits };
}
