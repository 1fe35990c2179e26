/** The composition root: builds every part from Config, and closes them in reverse. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  callerAuthenticator,
  credentialsOf,
  operatorsOnly,
  openDirectory,
  operatorOf,
  requestLimits,
  userIdentities,
  type DirectoryPace,
} from "./access-parts";
import { identityProvider } from "./azure-parts";
import { ClosingList } from "./closing-list";
import type { Config } from "./config";
import { describeApi, startAnswering, type OwnAnswering } from "./graphql-parts";
import { packageRoot } from "./package-root";
import { OwnIdentity } from "./resolvers/own-identity";
import { RevocationFeed, type FeedLimits } from "./resolvers/revocation-feed";
import type { RequestContext } from "./resolvers/context";
import { requestContext } from "./resolvers/request-context";
import { addressGroup } from "./server/client-address";
import { Explorer } from "./server/explorer";
import { graphqlPath, HttpServer } from "./server/http-server";
import { LogLevelPage } from "./server/log-level-page";
import { MetricsPage } from "./server/metrics-page";
import { MetricsServer } from "./server/metrics-server";
import { readOperationList, type OperationList } from "./server/operation-list";
import { StatusPage } from "./server/status-page";
import type { CallerAuthenticator } from "./services/access/caller-authenticator";
import type { KeyTimings } from "./services/access/issuer-keys";
import type { ProcessProvider } from "./services/azure/identity-provider";
import type { RateLimits } from "./services/azure/rate-limiter";
import { systemClock, type Clock } from "./services/clock";
import type { UserIdentities } from "./services/identities/directory/user-identities";
import { IdentityLifecycle } from "./services/identities/identity-lifecycle";
import { IdentityService } from "./services/identities/identity-service";
import { Orphans, type OrphanTimings } from "./services/identities/orphans";
import { RedisConnection } from "./services/redis/redis-connection";
import type { Events } from "./services/telemetry/events";
import { PartsHealth, type ReadState } from "./services/telemetry/health";
import type { Watched } from "./services/telemetry/metrics/metrics";
import { FileKeyRing, fixedKeyRing, type KeyRing } from "./services/tokens/key-ring";
import { MemoryTokenStore } from "./services/tokens/memory-token-store";
import { RedisTokenStore } from "./services/tokens/redis-token-store";
import { RevocationNotices, type NoticePace } from "./services/tokens/revocation-notices";
import { SealedTokenStore } from "./services/tokens/sealing-layer";
import { TokenCipher } from "./services/tokens/token-cipher";
import { TokenService } from "./services/tokens/token-service";
import type { CachedToken, TokenStore } from "./services/tokens/token-store";
import { startTelemetry, type OwnTelemetry } from "./telemetry-parts";

/** Parts that a test may bring along instead of what Config would build. */
export interface Parts extends OwnTelemetry, OwnAnswering {
  readonly clock: Clock;
  /** Azure's limits on a smaller scale. */
  readonly budget: Partial<RateLimits>;
  /** Where among several resources the first new identity is made. */
  readonly random: () => number;
  /** How soon identities that no caller received are deleted. */
  readonly orphans: Partial<OrphanTimings>;
  /** How soon issuers are asked for their keys again. */
  readonly issuerKeys: KeyTimings;
  readonly directory: DirectoryPace;
  /** The longest that an operation may take. */
  readonly operationTimeoutMs: number;
  readonly operationList: OperationList;
  /** How often a replica finds out whether it still hears of revocations. */
  readonly notices: NoticePace;
  /** How long streams last, and how many a user may have. */
  readonly feed: Partial<FeedLimits>;
}

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
  const telemetry = await startTelemetry(config, clock, closing, parts);
  const { events, audit, metrics } = telemetry;
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
  const directory = await openDirectory(around);
  const deleteLater = directory && ((identityId: string) => directory.scheduleDeletion(identityId, 0));
  const orphans = closing.add(new Orphans(azure, events, parts.orphans, deleteLater));
  const identities = new IdentityService(azure, tokens, events, orphans);
  const users = directory && userIdentities(around, directory, identities, audit, parts.directory);
  const callers = callerAuthenticator(around, parts.issuerKeys);
  const own = new OwnIdentity(users, config.directory?.maxDevices ?? 0);
  const revocations = closing.add(new RevocationFeed(notices, own, clock, parts.feed));
  callers.onApiKeysChange(() => {
    revocations.recheck();
  });
  const ownersOf = (ids: readonly string[]) =>
    users?.ownersOf(ids) ?? Promise.resolve(ids.map(() => undefined));
  const contextParts = { callers, limits, audit, tokens, revocations, ownersOf };
  const api = await describeApi(tokens, new IdentityLifecycle(identities, users), own);
  const operations = readFileSync(join(packageRoot(), "operations", "quickstart.graphql"), "utf8");
  const answering = await startAnswering(api, config, operations, events, closing, parts);
  const explorer = new Explorer({
    directory: join(packageRoot(), "dist", "explorer"),
    endpointPath: graphqlPath,
    operations,
  });
  const { operationTimeoutMs = config.http.operationTimeoutMs, operationList = operationListOf(config) } =
    parts;
  const health = closing.add(
    new PartsHealth(clock, {
      ...statesOf({ redis, azure, users, callers }),
      ...telemetry.states,
    }),
  );
  const startup = { isOver: false };
  const http = new HttpServer<RequestContext>(
    { ...config.http, operationTimeoutMs },
    {
      ...answering,
      operationList,
      metrics,
      context: (request, info) => requestContext(credentialsOf(request.headers), info, contextParts),
      pages: [
        new MetricsPage(metrics, operatorsOnly(contextParts)),
        new LogLevelPage(telemetry.level, operatorOf(contextParts)),
        ...(config.explorer ? [explorer] : []),
        new StatusPage(join(packageRoot(), "dist", "status")),
      ],
      health: { ready: () => health.readiness(), started: () => startup.isOver },
      onError: events.internalError,
      beforeAnswers: telemetry.flush,
      audited: telemetry.audited,
      onAnswer: telemetry.tellRequest,
      events,
      tracing: telemetry.tracing,
    },
  );
  Object.assign(metrics.watched, {
    http: () => http.load,
    subscriptionsOpen: () => answering.subscriptions.count,
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
  const start = async () => {
    const connected = azure.preconnect();
    const metricsOrigin = await open?.start();
    const { url: origin } = await http.start();
    // Everything else was there before it listened. ACS may be away: then calls connect by themselves.
    void connected.then(() => (startup.isOver = true));
    return { origin, url: origin + graphqlPath, metricsOrigin };
  };
  const drain = (delayMs: number) => {
    if (delayMs > 0) events.draining({ delayMs });
    http.drain();
  };
  return {
    typeDefs: api.typeDefs,
    start,
    drain,
    [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
  };
}

/** The schema as SDL without building a gateway: resolvers are asked nothing while they are described. */
export async function gatewayTypeDefs(): Promise<string> {
  const tokens = Object.create(TokenService.prototype) as TokenService;
  const identities = Object.create(IdentityLifecycle.prototype) as IdentityLifecycle;
  return (await describeApi(tokens, identities, new OwnIdentity(undefined, 0))).typeDefs;
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
