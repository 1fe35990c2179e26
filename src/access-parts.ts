/** Builds what finds out who is calling, whose identities are whose, and how much anybody may ask for. */
import type { ClosingList } from "./closing-list";
import type { Config } from "./config";
import { mayOperate } from "./resolvers/access-rules";
import { requestContext, type ContextParts } from "./resolvers/request-context";
import type { AdmitOperator, KnowOperator } from "./server/page";
import { hashApiKey, type ApiKey } from "./services/access/api-key";
import { ApiKeyAuthenticator, type ApiKeys } from "./services/access/api-key-authenticator";
import { FileApiKeys } from "./services/access/api-key-file";
import { CallerAuthenticator, type Credentials } from "./services/access/caller-authenticator";
import { CallerLimits } from "./services/access/caller-limits";
import { OidcAuthenticator } from "./services/access/oidc-authenticator";
import type { KeyTimings } from "./services/access/issuer-keys";
import { RequestLimits } from "./services/access/request-limits";
import { allRights } from "./services/access/rights";
import type { Clock } from "./services/clock";
import { DeletionWorker, type DeletionTimings } from "./services/identities/directory/deletion-worker";
import { EmbeddedDatabase } from "./services/identities/directory/embedded-database";
import { IdentityDirectory } from "./services/identities/directory/identity-directory";
import { PostgresDatabase } from "./services/identities/directory/postgres-database";
import { DatabaseUnusable } from "./services/identities/directory/sql";
import { UserIdentities, type DirectoryTimings } from "./services/identities/directory/user-identities";
import type { IdentityService } from "./services/identities/identity-service";
import { reasonOf } from "./services/redis/reason-of";
import type { RedisConnection } from "./services/redis/redis-connection";
import { mustBeWritable, type Audit } from "./services/telemetry/audit";
import type { Events } from "./services/telemetry/events";
import { tokenScopes } from "./services/tokens/token-scope";

/** What the builders share. */
export interface Surroundings {
  readonly config: Config;
  readonly clock: Clock;
  readonly events: Events;
  readonly closing: ClosingList;
}

/** How the directory paces itself. */
export interface DirectoryPace {
  readonly timings?: Partial<DirectoryTimings>;
  readonly deletions?: Partial<DeletionTimings>;
}

/** A statement of the directory may take this long, in milliseconds. */
const statementMs = 2_000;
/** Connections to PostgreSQL: warm callers need none. */
const maxConnections = 10;

/** Those who may operate the gateway, known by the same credentials as callers of operations. */
export function operatorsOnly(parts: ContextParts): AdmitOperator {
  return async (exchange) => {
    mayOperate(await requestContext(credentialsOf(exchange.request.headers), exchange, parts));
  };
}

/** The same for pages that change something. */
export function operatorOf(parts: ContextParts): KnowOperator {
  return async (exchange) => {
    const context = await requestContext(credentialsOf(exchange.request.headers), exchange, parts);
    mayOperate(context);
    return {
      operate: (change, act) => context.audited("gateway.operate", { change }, () => Promise.resolve(act())),
    };
  };
}

/** The credentials of a request. */
export function credentialsOf(headers: NodeJS.Dict<string | string[]>): Credentials {
  const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(", ") : value);
  return { apiKey: one(headers["x-api-key"]), authorization: one(headers.authorization) };
}

/** Who verifies credentials. */
export function callerAuthenticator(
  { config: { access }, clock, events, closing }: Surroundings,
  timings?: KeyTimings,
): CallerAuthenticator {
  const { apiKeys, apiKeysFile: path, developmentKey, issuers } = access;
  const always = developmentKey === undefined ? [] : [developmentApiKey(developmentKey)];
  const fixed = [...apiKeys, ...always];
  const keys: ApiKeys =
    path === undefined
      ? { current: () => fixed }
      : closing.add(new FileApiKeys(apiKeys, always, { path }, events));
  const oidc =
    issuers.length === 0
      ? undefined
      : new OidcAuthenticator(issuers, clock, events, timings === undefined ? {} : { timings });
  return new CallerAuthenticator(new ApiKeyAuthenticator(keys, clock), oidc);
}

function developmentApiKey(key: string): ApiKey {
  return { name: "development", hash: hashApiKey(key), rights: allRights, scopes: tokenScopes };
}

/** The limits of callers and addresses. To be built before the first script of Redis is called. */
export function requestLimits(
  { config, clock, closing }: Surroundings,
  redis: RedisConnection | undefined,
  groupOf: (address: string) => string,
): RequestLimits {
  return new RequestLimits(closing.add(new CallerLimits(redis, clock)), config.limits, groupOf);
}

/**
 * The directory of users' identities, if there is one. Rejects with `DatabaseUnusable` when it does not answer or cannot
 * be used; a server that goes away later is an error of each lookup.
 */
export async function openDirectory({
  config,
  events,
  closing,
}: Surroundings): Promise<IdentityDirectory | undefined> {
  if (!config.directory) return undefined;
  const { databaseUrl: url, path } = config.directory;
  const database =
    url === undefined
      ? new EmbeddedDatabase(path)
      : new PostgresDatabase({ url, timeoutMs: statementMs, maxConnections }, (reason) => {
          events.directoryUnavailable({ operation: "connection", reason });
        });
  const directory = closing.add(new IdentityDirectory(database, events));
  await directory.open().catch((error: unknown) => {
    throw error instanceof DatabaseUnusable ? error : new DatabaseUnusable(unusable(url, path, error));
  });
  return directory;
}

/** The users' identities in a directory, and its deletion worker. */
export function userIdentities(
  { events, closing }: Surroundings,
  directory: IdentityDirectory,
  identities: IdentityService,
  audit: Audit,
  pace: DirectoryPace = {},
): UserIdentities {
  const create: IdentityService["create"] = (...wanted) => {
    mustBeWritable(audit);
    return identities.create(...wanted);
  };
  const users = new UserIdentities(
    directory,
    create,
    ({ issuer, subject: name, device }, identityId) => {
      const caller = { kind: "user", name, user: { issuer } };
      audit.record({
        action: "identity.create",
        outcome: "ok",
        caller,
        identityId,
        device: device || undefined,
      });
    },
    pace.timings,
  );
  const gateway = { kind: "gateway", name: "deletion worker", user: undefined };
  const worker = new DeletionWorker(
    directory,
    (identityId) => identities.delete(identityId, { background: true }),
    events,
    (identityId, outcome) => {
      audit.record({ action: "identity.expire", outcome, caller: gateway, identityId });
    },
    pace.deletions,
  );
  closing.add(worker).start();
  return users;
}

function unusable(url: string | undefined, path: string, error: unknown): string {
  const reason = reasonOf(error);
  if (url === undefined) {
    return `The directory of identities in ${path} cannot be opened (${reason}). May this user write there? DIRECTORY_PATH names another folder.`;
  }
  const { hostname, port } = new URL(url);
  return `PostgreSQL at ${hostname}:${port || "5432"} does not answer as it should (${reason}). Is it running, and is DATABASE_URL right?`;
}
