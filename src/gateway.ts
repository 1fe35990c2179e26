/** The composition root: builds every part from Config, and closes them in reverse. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ApolloServer } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from "@apollo/server/plugin/disabled";
import { callerAuthenticator, requestLimits, userIdentities, type DirectoryPace } from "./access-parts";
import { identityProvider } from "./azure-parts";
import { ClosingList } from "./closing-list";
import { CompiledOperations } from "./compiled/compiled-operations";
import { replayOutcomes } from "./compiled/recorded-outcomes";
import type { Config } from "./config";
import { packageRoot } from "./package-root";
import { accessRules, mayReadSchema } from "./resolvers/access-rules";
import { identityByReference, IdentityResolver } from "./resolvers/identity-resolver";
import { presentErrors } from "./resolvers/present-error";
import { OwnIdentity } from "./resolvers/own-identity";
import { RevocationFeed, type FeedLimits } from "./resolvers/revocation-feed";
import { RevocationResolver } from "./resolvers/revocation-resolver";
import { requestContext, type RequestContext } from "./resolvers/request-context";
import { TokenResolver } from "./resolvers/token-resolver";
import { ViewerResolver } from "./resolvers/viewer-resolver";
import { buildGatewaySchema } from "./schema/build-schema";
import { costLimit } from "./schema/cost-limit";
import { guardSdl } from "./schema/guarded-sdl";
import { knownOperationTypes } from "./schema/known-operation-types";
import { defaultOperationLimits, limitRules, type OperationLimits } from "./schema/operation-limits";
import { addressGroup } from "./server/client-address";
import { Explorer } from "./server/explorer";
import { graphqlPath, HttpServer } from "./server/http-server";
import { readOperationList, type OperationList } from "./server/operation-list";
import { sandbox } from "./server/sandbox";
import { Subscriptions } from "./server/subscriptions";
import type { KeyTimings } from "./services/access/issuer-keys";
import type { BudgetOptions } from "./services/azure/upstream-budget";
import { systemClock, type Clock } from "./services/clock";
import { createRecords } from "./services/identities/create-records";
import type { UserIdentities } from "./services/identities/directory/user-identities";
import { IdentityLife } from "./services/identities/identity-life";
import { IdentityService } from "./services/identities/identity-service";
import { RedisConnection } from "./services/redis/redis-connection";
import { createAudit, type Audit } from "./services/telemetry/audit";
import { createEvents, type Events } from "./services/telemetry/events";
import { readiness } from "./services/telemetry/health";
import { createLogger } from "./services/telemetry/logger";
import { FileKeyRing, fixedKeyRing, type KeyRing } from "./services/tokens/key-ring";
import { MemoryTokenStore } from "./services/tokens/memory-token-store";
import { RedisTokenStore } from "./services/tokens/redis-token-store";
import { RevocationNotices, type NoticePace } from "./services/tokens/revocation-notices";
import { SealedTokenStore } from "./services/tokens/sealing-layer";
import { TokenCipher } from "./services/tokens/token-cipher";
import { TokenService } from "./services/tokens/token-service";
import type { CachedToken, TokenStore } from "./services/tokens/token-store";

/** Parts that a test may bring along instead of what Config would build. */
export interface Parts {
  readonly clock: Clock;
  readonly events: Events;
  /** Azure's limits on a smaller scale. */
  readonly budget: Partial<BudgetOptions>;
  /** Where among several resources the first new identity is made. */
  readonly random: () => number;
  /** How soon creates that nobody was told of are swept. */
  readonly creates: Parameters<typeof createRecords>[4];
  readonly audit: Audit;
  /** How soon issuers are asked for their keys again. */
  readonly issuerKeys: KeyTimings;
  readonly directory: DirectoryPace;
  /** How large an operation may be. */
  readonly limits: Partial<OperationLimits>;
  /** The longest that an operation may take. */
  readonly operationTimeoutMs: number;
  readonly operationList: OperationList;
  /** False: Apollo Server answers everything, and nothing is compiled. */
  readonly compile: boolean;
  /** How often a replica finds out whether it still hears of revocations. */
  readonly notices: NoticePace;
  /** How long streams last, and how many a user may have. */
  readonly feed: FeedLimits;
}

/** A gateway that was built and does not listen yet. Disposing of it finishes requests in flight first. */
export interface Gateway extends AsyncDisposable {
  /** Listens. Rejects with Node's error (`EADDRINUSE`, `EACCES` …). */
  start(): Promise<{
    /** The GraphQL endpoint: `http://127.0.0.1:4000/graphql`. */
    readonly url: string;
    /** The server's address, without a path. */
    readonly origin: string;
  }>;
  /** The schema as SDL, with its federation directives. */
  readonly typeDefs: string;
}

/** Builds the gateway that `config` describes. Rejects with `RedisUnusable` or `DatabaseUnusable` when what it names is not there. */
export async function createGateway(config: Config, parts: Partial<Parts> = {}): Promise<Gateway> {
  const closing = new ClosingList();
  try {
    return await build(config, parts, closing);
  } catch (error) {
    await closing[Symbol.asyncDispose]();
    throw error;
  }
}

async function build(config: Config, parts: Partial<Parts>, closing: ClosingList): Promise<Gateway> {
  const clock = parts.clock ?? systemClock;
  const events = parts.events ?? createEvents(createLogger(config.logLevel));
  const audit = parts.audit ?? createAudit(config.audit, clock);
  const around = { config, clock, events, closing };
  const redis = config.redis && closing.add(await RedisConnection.connect(config.redis, events));
  const azure = closing.add(await identityProvider(config, redis, clock, events, parts.budget, parts.random));
  const sealed = redis && { redis, cipher: new TokenCipher(keyRing(config, closing, events)) };
  const store: TokenStore<CachedToken> = sealed
    ? new SealedTokenStore(new RedisTokenStore(sealed.redis), sealed.cipher, events)
    : new MemoryTokenStore(clock, config.tokens.maxCachedIdentities);
  const limits = requestLimits(around, redis, addressGroup);
  const notices = new RevocationNotices(redis?.channel("revocations"), events, parts.notices);
  closing.add(notices);
  const tokens = closing.add(
    new TokenService(store, azure, clock, events, config.tokens.minRemainingMs, notices),
  );
  redis?.onBack(() => void tokens.storeIsBack());
  const directory: { users?: UserIdentities | undefined } = {};
  const isKept = (identityId: string) => directory.users?.isMapped(identityId) ?? Promise.resolve(false);
  const records = createRecords(sealed, azure, clock, events, parts.creates, isKept);
  const identities = new IdentityService(azure, tokens, events, records);
  const users = await userIdentities(around, identities, audit, parts.directory);
  directory.users = users;
  closing.add(records.sweeper).start();
  const callers = callerAuthenticator(around, parts.issuerKeys);
  const own = new OwnIdentity(users, config.directory?.maxDevices ?? 0);
  const revocations = new RevocationFeed(notices, own, clock, parts.feed);
  const ownersOf = (ids: readonly string[]) =>
    users?.ownersOf(ids) ?? Promise.resolve(ids.map(() => undefined));
  const contextParts = { callers, limits, audit, tokens, revocations, ownersOf };
  const { schema, typeDefs, direct } = await describeApi(tokens, new IdentityLife(identities, users), own);
  const operationLimits = { ...defaultOperationLimits, ...parts.limits };
  const introspection = !config.production || config.explorer;
  if (!introspection) guardSdl(schema, mayReadSchema);
  const compiled = parts.compile === false ? undefined : new CompiledOperations({ schema, direct });
  if (compiled) replayOutcomes(schema);
  const { developmentKey } = config.access;
  const operations = readFileSync(join(packageRoot(), "operations", "quickstart.graphql"), "utf8");
  const formatError = presentErrors(events, !config.production);
  // Half of the connections are left to those who ask and go.
  const subscriptions = new Subscriptions(formatError, Math.ceil(config.http.maxConnections / 2));
  const apollo = new ApolloServer<RequestContext>({
    schema,
    formatError,
    introspection,
    hideSchemaDetailsFromClientErrors: config.production,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    persistedQueries: false,
    parseOptions: { maxLexicalTokens: operationLimits.maxTokens },
    // Beside its own purpose it makes Apollo Server ask the rules below of valid documents only.
    maxRecursiveSelections: operationLimits.maxSelections,
    validationRules: [knownOperationTypes, ...limitRules(operationLimits)],
    plugins: [
      costLimit(schema, operationLimits.maxCost),
      subscriptions.plugin<RequestContext>(),
      ...(compiled ? [compiled.plugin<RequestContext>()] : []),
      // Nothing may be cached here; the plugin would put a layer around every field's resolver.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      sandbox({ enabled: config.explorer, operations, developmentKey }),
    ],
  });
  await apollo.start();
  closing.add({ [Symbol.asyncDispose]: () => apollo.stop() });
  const explorer = new Explorer({
    directory: join(packageRoot(), "dist", "explorer"),
    endpointPath: graphqlPath,
    operations,
    ...(developmentKey === undefined ? {} : { developmentKey }),
  });
  const { operationTimeoutMs = config.http.operationTimeoutMs, operationList = operationListOf(config) } =
    parts;
  const http = new HttpServer<RequestContext>(
    { ...config.http, operationTimeoutMs },
    {
      apollo,
      operationList,
      subscriptions,
      compiled,
      context: (request, info) => requestContext(credentialsOf(request.headers), info, contextParts),
      pages: config.explorer ? [explorer] : [],
      health: { ready: () => Promise.resolve(readiness(redis)) },
      onError: events.internalError,
      beforeAnswers: () => {
        audit.flush();
      },
      events,
    },
  );
  closing.add({ [Symbol.asyncDispose]: () => http.close() });
  const start = async () => {
    void azure.warm();
    const { url: origin } = await http.start();
    return { origin, url: origin + graphqlPath };
  };
  return { typeDefs, start, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() };
}

/** The schema as SDL without building a gateway: resolvers are asked nothing while they are described. */
export async function gatewayTypeDefs(): Promise<string> {
  const tokens = Object.create(TokenService.prototype) as TokenService;
  const identities = Object.create(IdentityLife.prototype) as IdentityLife;
  return (await describeApi(tokens, identities, new OwnIdentity(undefined, 0))).typeDefs;
}

function describeApi(tokens: TokenService, identities: IdentityLife, own: OwnIdentity) {
  const resolvers = [
    new TokenResolver(tokens, own),
    new IdentityResolver(identities, own),
    new ViewerResolver(own),
    new RevocationResolver(),
  ];
  return buildGatewaySchema(resolvers, accessRules, { Identity: identityByReference });
}

function operationListOf({ operations: { file, onlyListed } }: Config): OperationList | undefined {
  return file === undefined ? undefined : readOperationList(file, onlyListed);
}

function keyRing({ tokens }: Config, closing: ClosingList, events: Events): KeyRing {
  if (tokens.encryptionKeysFile === undefined) return fixedKeyRing(tokens.encryptionKeys);
  return closing.add(new FileKeyRing(tokens.encryptionKeys, { path: tokens.encryptionKeysFile }, events));
}

function credentialsOf(headers: NodeJS.Dict<string | string[]>) {
  const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(", ") : value);
  return { apiKey: one(headers["x-api-key"]), authorization: one(headers.authorization) };
}
