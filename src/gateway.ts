/** The composition root: builds every part from Config, and closes them in reverse. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApolloServer } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from "@apollo/server/plugin/disabled";
import {
  callerAuthenticator,
  credentialsOf,
  operatorsOnly,
  operatorOf,
  requestLimits,
  userIdentities,
  type DirectoryPace,
} from "./access-parts";
import { identityProvider } from "./azure-parts";
import { ClosingList } from "./closing-list";
import { CompiledOperations } from "./compiled/compiled-operations";
import { replayOutcomes } from "./compiled/recorded-outcomes";
import type { Config } from "./config";
import { secretsIn } from "./config/secrets";
import { packageRoot, packageVersion } from "./package-root";
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
import { LogLevelPage } from "./server/log-level-page";
import { MetricsPage } from "./server/metrics-page";
import { MetricsServer } from "./server/metrics-server";
import { OperationLabels } from "./server/operation-labels";
import { readOperationList, type OperationList } from "./server/operation-list";
import { sandbox } from "./server/sandbox";
import { Subscriptions } from "./server/subscriptions";
import type { CallerAuthenticator } from "./services/access/caller-authenticator";
import type { KeyTimings } from "./services/access/issuer-keys";
import { traceAzureCalls } from "./services/azure/azure-tracing";
import type { ProcessProvider } from "./services/azure/identity-provider";
import type { BudgetOptions } from "./services/azure/upstream-budget";
import { systemClock, type Clock } from "./services/clock";
import { createRecords } from "./services/identities/create-records";
import type { UserIdentities } from "./services/identities/directory/user-identities";
import { IdentityLife } from "./services/identities/identity-life";
import { IdentityService } from "./services/identities/identity-service";
import { RedisConnection } from "./services/redis/redis-connection";
import type { SamplingPace } from "./services/status/sampler";
import { createAudit, type Audit } from "./services/telemetry/audit";
import { createEvents, type Events } from "./services/telemetry/events";
import { PartsHealth, type ReadState } from "./services/telemetry/health";
import { LogLevelSwitch } from "./services/telemetry/log-level";
import { createLogger, fileDestination, type DestinationStream } from "./services/telemetry/logger";
import { countedEvents } from "./services/telemetry/metrics/counted-events";
import { Metrics, type Watched } from "./services/telemetry/metrics/metrics";
import { RequestLog } from "./services/telemetry/request-log";
import { scrubber } from "./services/telemetry/scrub";
import { startTracing } from "./services/telemetry/tracing";
import { FileKeyRing, fixedKeyRing, type KeyRing } from "./services/tokens/key-ring";
import { MemoryTokenStore } from "./services/tokens/memory-token-store";
import { RedisTokenStore } from "./services/tokens/redis-token-store";
import { RevocationNotices, type NoticePace } from "./services/tokens/revocation-notices";
import { SealedTokenStore } from "./services/tokens/sealing-layer";
import { TokenCipher } from "./services/tokens/token-cipher";
import { TokenService } from "./services/tokens/token-service";
import type { CachedToken, TokenStore } from "./services/tokens/token-store";
import { StatusParts } from "./status-parts";

/** Parts that a test may bring along instead of what Config would build. */
export interface Parts {
  readonly clock: Clock;
  readonly events: Events;
  /** Where the log goes. */
  readonly stderr: DestinationStream;
  /** Azure's limits on a smaller scale. */
  readonly budget: Partial<BudgetOptions>;
  /** Where among several resources the first new identity is made. */
  readonly random: () => number;
  /** How soon creates that nobody was told of are swept. */
  readonly creates: Parameters<typeof createRecords>[4];
  readonly audit: Audit;
  readonly metrics: Metrics;
  /** The process has no other gateway, so its metrics are this one's. */
  readonly ofProcess: boolean;
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
  /** How often the status page's figures are taken. */
  readonly status: Partial<SamplingPace>;
  /** How long streams last, and how many a user may have. */
  readonly feed: FeedLimits;
}

/** A gateway counts as started when a connection to Azure is there, or after so many milliseconds without one. */
const warmMs = 2_000;

/** A gateway that was built and does not listen yet. Disposing of it finishes requests in flight first. */
export interface Gateway extends AsyncDisposable {
  /** Listens. Rejects with Node's error (`EADDRINUSE`, `EACCES` …). */
  start(): Promise<{
    /** The GraphQL endpoint: `http://127.0.0.1:4000/graphql`. */
    readonly url: string;
    /** The server's address, without a path. */
    readonly origin: string;
    /** Where metrics are served without credentials, without a path, if anywhere. */
    readonly metricsOrigin: string | undefined;
  }>;
  /** From now on it is not ready, and each answer is its connection's last; everything is still served, for `delayMs`. */
  drain(delayMs: number): void;
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
  const clean = scrubber(secretsIn(config));
  const stderr = parts.stderr ?? fileDestination(2);
  const log = createLogger(config.logLevel, stderr, { clean });
  const level = closing.add(new LogLevelSwitch(log, config.logLevel, clock));
  const metrics = parts.metrics ?? new Metrics({ version: packageVersion(), node: process.version });
  if (parts.ofProcess) metrics.watchProcess();
  const events = countedEvents(parts.events ?? createEvents(log), metrics);
  // Tests that bring events along see what they want of the log in them.
  const isLogged = parts.events === undefined || parts.stderr !== undefined;
  const requestLog = new RequestLog(isLogged ? config.logRequests : "off", log, stderr, clean, clock);
  const audit =
    parts.audit ?? createAudit(config.audit, clock, config.audit === "stderr" ? stderr : undefined);
  const around = { config, clock, events, closing };
  // Closed last, when all that is traced has ended.
  const tracing = config.tracing && closing.add(await startTracing(config.tracing, events));
  if (tracing) traceAzureCalls();
  const redis = config.redis && closing.add(await RedisConnection.connect(config.redis, events));
  const azure = closing.add(await identityProvider(config, redis, clock, events, parts.budget, parts.random));
  const sealed = redis && { redis, cipher: new TokenCipher(keyRing(config, closing, events)) };
  const store: TokenStore<CachedToken> = sealed
    ? new SealedTokenStore(new RedisTokenStore(sealed.redis), sealed.cipher, events)
    : new MemoryTokenStore(clock, config.tokens.maxCachedIdentities);
  const limits = requestLimits(around, redis, addressGroup);
  const status = config.statusPage ? new StatusParts(around, redis, parts.status) : undefined;
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
  const labels = new OperationLabels();
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
      labels.plugin<RequestContext>(),
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
  const statusPage = status?.page(metrics, operatorsOnly(contextParts));
  const { operationTimeoutMs = config.http.operationTimeoutMs, operationList = operationListOf(config) } =
    parts;
  const health = closing.add(new PartsHealth(clock, statesOf({ redis, azure, users, callers })));
  const startup = { isOver: false };
  const http = new HttpServer<RequestContext>(
    { ...config.http, operationTimeoutMs },
    {
      apollo,
      operationList,
      subscriptions,
      compiled,
      metrics,
      context: (request, info) => requestContext(credentialsOf(request.headers), info, contextParts),
      labels,
      pages: [
        new MetricsPage(metrics, operatorsOnly(contextParts)),
        new LogLevelPage(level, operatorOf(contextParts)),
        ...(config.explorer ? [explorer] : []),
        ...(statusPage ? [statusPage] : []),
      ],
      health: { ready: () => health.readiness(), started: () => startup.isOver },
      onError: events.internalError,
      beforeAnswers: () => {
        audit.flush();
        requestLog.flush();
      },
      onAnswer: ({ exchange, status, outcome, durationMs, bytes }) => {
        if (!requestLog.wants(outcome, exchange.path)) return;
        requestLog.record({
          id: exchange.id,
          method: exchange.request.method ?? "",
          path: exchange.path,
          operation: exchange.operation?.field,
          operationName: exchange.operation?.name,
          outcome,
          status,
          durationMs,
          caller: exchange.caller,
          address: exchange.address,
          bytes,
          traceId: exchange.span?.traceId,
        });
      },
      events,
      tracing,
    },
  );
  Object.assign(metrics.watched, {
    http: () => http.load,
    subscriptionsOpen: () => subscriptions.count,
    revocationsOwed: () => tokens.revocationsOwed,
    redis: redis && (() => redis.vitals()),
    upstream: azure.resources,
  } satisfies Watched);
  // Closed after the other, so that probes see how it drains.
  const open =
    config.metrics &&
    closing.add(
      new MetricsServer(config.metrics, {
        pages: [new MetricsPage(metrics), http.healthPage],
        onError: events.internalError,
      }),
    );
  closing.add({ [Symbol.asyncDispose]: () => http.close() });
  if (status) closing.add({ [Symbol.asyncDispose]: () => status.drain() });
  const start = async () => {
    const warm = azure.warm();
    const metricsOrigin = await open?.start();
    const { url: origin } = await http.start();
    // Everything else was there before it listened. Azure may be away: then it is tried by whoever needs it.
    const patience = sleep(warmMs, undefined, { ref: false });
    void Promise.race([warm, patience]).then(() => (startup.isOver = true));
    void status?.start();
    return { origin, url: origin + graphqlPath, metricsOrigin };
  };
  const drain = (delayMs: number) => {
    if (delayMs > 0) events.draining({ delayMs });
    void status?.drain();
    http.drain();
  };
  return { typeDefs, start, drain, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() };
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

/** The parts that the gateway can do without for a while, by what each is called where health is told. */
function statesOf(parts: {
  readonly redis: RedisConnection | undefined;
  readonly azure: ProcessProvider;
  readonly users: UserIdentities | undefined;
  readonly callers: CallerAuthenticator;
}): Record<string, ReadState> {
  const { redis, azure, users, callers } = parts;
  return {
    azure: () => azure.state,
    ...(redis && { redis: () => redis.vitals().status }),
    ...(users && { directory: () => (users.isAway ? "away" : "ok") }),
    ...(callers.issuerKeys && { issuers: () => callers.issuerKeys ?? "ok" }),
  };
}

function operationListOf({ operations: { file, onlyListed } }: Config): OperationList | undefined {
  return file === undefined ? undefined : readOperationList(file, onlyListed);
}

function keyRing({ tokens }: Config, closing: ClosingList, events: Events): KeyRing {
  if (tokens.encryptionKeysFile === undefined) return fixedKeyRing(tokens.encryptionKeys);
  return closing.add(new FileKeyRing(tokens.encryptionKeys, { path: tokens.encryptionKeysFile }, events));
}
