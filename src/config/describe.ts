/** The configuration in effect as an operator may see it. */
import { createHash } from "node:crypto";
import type { AcsResource, Config } from "../config";
import type { ApiKey } from "../services/access/api-key";
import { addressText } from "../services/redis/redis-address";

/** The configuration in effect, secrets as fingerprints, for `acs-token-gateway check`. */
export function describeConfig(config: Config): Record<string, unknown> {
  return {
    ...config,
    acs: { ...config.acs, resources: config.acs.resources.map(describeResource) },
    redis: config.redis && { ...config.redis, ...describeRedis(config.redis) },
    tokens: {
      ...config.tokens,
      encryptionKeys: config.tokens.encryptionKeys.map(
        (key) => `${key.id}:${fingerprint(key.secret.export())}`,
      ),
    },
    access: {
      ...config.access,
      apiKeys: config.access.apiKeys.map(describeApiKey),
      developmentKey: config.access.developmentKey ? "set" : undefined,
    },
    directory: config.directory && {
      ...config.directory,
      databaseUrl: config.directory.databaseUrl && withoutPassword(config.directory.databaseUrl),
    },
    tracing: config.tracing && {
      ...config.tracing,
      endpoint: withoutCredentials(config.tracing.endpoint),
      headers: Object.fromEntries(Object.keys(config.tracing.headers).map((name) => [name, "set"])),
    },
  };
}

function describeResource({ accessKey, resourceId, ...resource }: AcsResource) {
  return {
    ...resource,
    accessKey: accessKey === undefined ? "Entra" : fingerprint(accessKey),
    resourceId: resourceId ?? "learned",
  };
}

function describeApiKey({ name, hash, expiresAt, ...policy }: ApiKey) {
  const expires = expiresAt === undefined ? "never" : new Date(expiresAt).toISOString();
  return { name, hash: `${hash.toString("hex").slice(0, 8)}…`, expires, ...policy };
}

function withoutPassword(databaseUrl: string): string {
  const { hostname, port, pathname } = new URL(databaseUrl);
  return `postgres://${hostname}${port && `:${port}`}${pathname}`;
}

/** Some receivers have their key in the query or in the user's place. */
function withoutCredentials(endpoint: string): string {
  const { origin, pathname } = new URL(endpoint);
  return origin + pathname;
}

function describeRedis({ address, sentinelPassword }: NonNullable<Config["redis"]>) {
  const { kind, tls, database, primaryName, username, password } = address;
  return {
    address: addressText(address),
    kind,
    tls,
    ...(kind === "cluster" ? {} : { database }),
    ...(kind === "sentinel" ? { primaryName } : {}),
    credentials: (username ?? password) ? "set" : "none",
    sentinelPassword: sentinelPassword === undefined ? undefined : "set",
  };
}

function fingerprint(secret: string | Buffer): string {
  return `sha256:${createHash("sha256").update(secret).digest("hex").slice(0, 8)}…`;
}
