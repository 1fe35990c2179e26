/**
 * The gateway's own schema, resolvers and services for another GraphQL server, and the context that they need.
 * Without limits and without an audit, which the gateway has: that favours the others.
 */
import { createRequire } from "node:module";

// One graphql-js for all: the CommonJS one, which the gateway is compiled against.
export const require = createRequire(import.meta.url);
// type-graphql asks for it before the first of its classes.
require("reflect-metadata");
const part = (path) => require(`../../../dist/src/${path}.js`);

const { callerAuthenticator } = part("access-parts");
const { ClosingList } = part("closing-list");
const { loadConfig } = part("config");
const { accessRules } = part("resolvers/access-rules");
const { identityByReference, IdentityResolver } = part("resolvers/identity-resolver");
const { OwnIdentity } = part("resolvers/own-identity");
const { BatchedLookups } = part("resolvers/request-context");
const { RevocationResolver } = part("resolvers/revocation-resolver");
const { TokenResolver } = part("resolvers/token-resolver");
const { ViewerResolver } = part("resolvers/viewer-resolver");
const { buildGatewaySchema } = part("schema/build-schema");
const { AcsIdentityProvider } = part("services/azure/acs-identity-provider");
const { systemClock } = part("services/clock");
const { RedisConnection } = part("services/redis/redis-connection");
const { createEvents } = part("services/telemetry/events");
const { createLogger } = part("services/telemetry/logger");
const { fixedKeyRing } = part("services/tokens/key-ring");
const { RedisTokenStore } = part("services/tokens/redis-token-store");
const { SealedTokenStore } = part("services/tokens/sealing-layer");
const { TokenCipher } = part("services/tokens/token-cipher");
const { TokenService } = part("services/tokens/token-service");

/** The schema, and a function that makes the context of a request from its `authorization` header. */
export async function gatewayParts() {
  const config = loadConfig(process.env);
  const [clock, events, closing] = [
    systemClock,
    createEvents(createLogger(config.logLevel)),
    new ClosingList(),
  ];
  const redis = await RedisConnection.connect(config.redis, events);
  const { resources, deadlineMs, maxSockets } = config.acs;
  const [{ endpoint, accessKey }] = resources;
  const azure = new AcsIdentityProvider(
    { endpoint, credential: { accessKey }, deadlineMs, maxSockets },
    clock,
    events,
  );
  const cipher = new TokenCipher(fixedKeyRing(config.tokens.encryptionKeys));
  const reads = process.env.BATCHED_READS ? redis : oneByOne(redis);
  const store = new SealedTokenStore(new RedisTokenStore(reads), cipher, events);
  const tokens = new TokenService(store, azure, clock, events, config.tokens.minRemainingMs);
  const callers = callerAuthenticator({ config, clock, events, closing });
  const own = new OwnIdentity(undefined, 0);
  const resolvers = [
    new TokenResolver(tokens, own),
    new IdentityResolver(undefined, own),
    new ViewerResolver(own),
    new RevocationResolver(),
  ];
  const { schema } = await buildGatewaySchema(resolvers, accessRules, { Identity: identityByReference });
  // Nobody leaves in the middle of a request, and nobody asks what became of it.
  const call = {
    signal: new AbortController().signal,
    answered: new Promise(() => undefined),
    account: undefined,
  };
  const ownersOf = (ids) => Promise.resolve(ids.map(() => undefined));
  const contextFor = async (authorization) => ({
    caller: await callers.authenticate({ apiKey: undefined, authorization }),
    call,
    lookups: new BatchedLookups(tokens, ownersOf),
    revocations: () => Promise.reject(new Error("There are no streams here.")),
    refused: () => undefined,
    audited: (_action, _about, act) => act(),
  });
  return { schema, contextFor };
}

/** Each request reads for itself, as a resolver that calls ioredis does; ioredis's own pipelining is on. */
function oneByOne(redis) {
  return {
    script: (name, lua) => redis.script(name, lua),
    batchedScript: (name, lua) => {
      const run = redis.script(name, lua);
      return (key, ...args) => run(key, ...args).then(([value]) => value);
    },
  };
}
