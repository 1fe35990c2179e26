/** Environment → one frozen Config, or one message that lists every wrong variable. */
import { createSecretKey, randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { z } from "zod";
import { contradictions, needsDirectory } from "./config/contradictions";
import { isLoopback } from "./config/acs-resources";
import { toTracing } from "./config/tracing";
import { rulesOf, trimmed, type Environment } from "./config/environment";
import { unknownVariables, variables, type Variables } from "./config/variables";
import type { RateLimits } from "./services/azure/rate-limiter";
import { limitWindowMs } from "./services/azure/upstream-operation";
import type { ApiKey } from "./services/access/api-key";
import type { OidcIssuer } from "./services/access/oidc-issuer";
import type { RedisAddress } from "./services/redis/redis-address";
import type { LogLevel } from "./services/telemetry/logger";
import type { LoggedRequests } from "./services/telemetry/request-log";
import type { TracingOptions } from "./services/telemetry/tracing-options";
import type { EncryptionKey } from "./services/tokens/encryption-keys";
import { StartupError } from "./startup-error";

/** An ACS resource, and what of it is used for what. */
export interface AcsResource {
  /** Its origin. */
  readonly endpoint: string;
  /** Undefined: Entra, through DefaultAzureCredential. */
  readonly accessKey: string | undefined;
  /** Its immutable id; undefined, for an only one: learned. */
  readonly resourceId: string | undefined;
  /** Its share of the new identities, beside the others' weights. */
  readonly weight: number;
  /** What Azure allows it in 30 seconds. */
  readonly issuances: number;
  readonly throughProxy: boolean;
}

export { namesResource, processEnvironment, type Environment } from "./config/environment";

/** What the gateway runs on. */
export interface Config {
  readonly production: boolean;
  /** Why the production rules are in force, or are not. */
  readonly rulesReason: string;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly corsOrigins: readonly string[] | "*";
    readonly bodyLimitBytes: number;
    readonly requestTimeoutMs: number;
    readonly headersTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    /** Between SIGTERM and the closing of the port. */
    readonly drainDelayMs: number;
    readonly drainTimeoutMs: number;
    /** The longest that an operation may take as a whole. */
    readonly operationTimeoutMs: number;
    readonly maxConnections: number;
    /** Networks, or names for networks, whose `x-forwarded-for` is believed. */
    readonly trustedProxies: readonly string[];
    /** The certificate and its key, absolute paths; undefined: plain HTTP. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  };
  /** Where metrics and health are served without credentials; undefined: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly acs: {
    /** At least one; of several, each has an id, and all are different. */
    readonly resources: readonly AcsResource[];
    readonly deadlineMs: number;
    /** To each resource. */
    readonly maxSockets: number;
    /** Of each resource, beside its own limit. */
    readonly budget: Omit<RateLimits, "issuances">;
  };
  readonly redis:
    | {
        readonly address: RedisAddress;
        readonly sentinelPassword: string | undefined;
        readonly commandTimeoutMs: number;
        readonly keyPrefix: string;
      }
    | undefined;
  readonly tokens: {
    readonly minRemainingMs: number;
    readonly encryptionKeys: readonly EncryptionKey[];
    /** Where the encryption keys came from and are read again, absolute. */
    readonly encryptionKeysFile: string | undefined;
    /** The encryption keys were made up at this start, so nobody else opens what they seal. */
    readonly encryptionKeysMadeUp: boolean;
    readonly maxCachedIdentities: number;
  };
  readonly access: {
    /** Those of services; the development key is none of them. */
    readonly apiKeys: readonly ApiKey[];
    /** Where the API keys came from and are read again, absolute. */
    readonly apiKeysFile: string | undefined;
    readonly issuers: readonly OidcIssuer[];
    /** The key that may do everything, which a development gateway prints at its start. */
    readonly developmentKey: string | undefined;
  };
  /** The directory of users' identities; undefined when nobody needs one. */
  readonly directory:
    | {
        /** Undefined: embedded, in the folder. */
        readonly databaseUrl: string | undefined;
        /** Absolute. */
        readonly path: string;
        /** Identities that a user may have beside his own. */
        readonly maxDevices: number;
      }
    | undefined;
  /** Per minute. */
  readonly limits: {
    readonly callerRequests: number;
    readonly addressRequests: number;
    readonly callerIssuances: number;
    readonly addressIssuances: number;
  };
  readonly operations: { readonly file: string | undefined; readonly onlyListed: boolean };
  readonly audit: "stdout" | "stderr" | "off" | { readonly file: string };
  readonly explorer: boolean;
  readonly logLevel: LogLevel;
  /** Undefined: nothing is traced. */
  readonly tracing: TracingOptions | undefined;
  readonly logRequests: LoggedRequests;
}

/** The environment does not describe a gateway. The message is for the operator, lists everything and ends in a hint. */
export class ConfigError extends StartupError {
  override readonly name = "ConfigError";
  constructor(readonly problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:\n` +
        problems.map((problem) => `  - ${problem}`).join("\n"),
    );
  }
}

const minute = 60_000;

/** Reads, checks and freezes. Throws {@link ConfigError}. */
export function loadConfig(environment: Environment): Config {
  const given = trimmed(environment);
  const parsed = variables.safeParse(given);
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => `${String(issue.path[0])} ${issue.message}.`),
    ...unknownVariables(Object.keys(given)),
    ...(parsed.success ? contradictions(parsed.data) : contradictionsAmong(given, parsed.error)),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(toConfig(parsed.data, given));
}

/** The contradictions among the values that are well-formed, so that one start tells everything. */
function contradictionsAmong(given: Environment, { issues }: z.ZodError): string[] {
  const malformed = new Set(issues.map((issue) => String(issue.path[0])));
  const rest = variables.safeParse(
    Object.fromEntries(Object.entries(given).filter(([name]) => !malformed.has(name))),
  );
  if (!rest.success) return [];
  // A malformed value is there, though: its name must not be said to be missing.
  const subject = (problem: string) => problem.split(" must")[0]?.split(/, | or | and /) ?? [];
  return contradictions(rest.data).filter((problem) => !subject(problem).some((name) => malformed.has(name)));
}

function toConfig(v: Variables, environment: Environment): Config {
  const { production, reason } = rulesOf(v);
  const developmentKey = production
    ? undefined
    : (v.DEVELOPMENT_API_KEY ?? randomBytes(24).toString("base64url"));
  const givenKeys = v.TOKEN_ENCRYPTION_KEYS ?? v.TOKEN_ENCRYPTION_KEYS_FILE?.keys;
  const host = v.HOST ?? (production ? "0.0.0.0" : "127.0.0.1");
  return {
    production,
    rulesReason: reason,
    metrics:
      v.METRICS_PORT === undefined ? undefined : { host: v.METRICS_HOST ?? host, port: v.METRICS_PORT },
    http: {
      host,
      port: v.PORT,
      corsOrigins: v.CORS_ORIGINS ?? [],
      bodyLimitBytes: v.BODY_LIMIT_BYTES,
      requestTimeoutMs: 15_000,
      headersTimeoutMs: 10_000,
      // Longer than the idle time of common load balancers (60 s), which would else reuse a connection being closed.
      keepAliveTimeoutMs: 65_000,
      // As long as Kubernetes and common load balancers take to learn of it.
      drainDelayMs: v.DRAIN_DELAY_MS ?? (production ? 5_000 : 0),
      drainTimeoutMs: v.DRAIN_TIMEOUT_MS,
      operationTimeoutMs: v.OPERATION_TIMEOUT_MS,
      maxConnections: v.MAX_CONNECTIONS,
      trustedProxies: v.TRUSTED_PROXIES ?? [],
      tls:
        v.TLS_CERT_FILE !== undefined && v.TLS_KEY_FILE !== undefined
          ? { certFile: v.TLS_CERT_FILE, keyFile: v.TLS_KEY_FILE }
          : undefined,
    },
    acs: {
      resources: toResources(v, Boolean(environment.HTTPS_PROXY ?? environment.https_proxy)),
      deadlineMs: v.ACS_TIMEOUT_MS,
      maxSockets: v.ACS_MAX_CONNECTIONS,
      budget: { windowMs: limitWindowMs, replicas: v.REPLICAS },
    },
    redis:
      v.REDIS_URL === undefined
        ? undefined
        : {
            address: v.REDIS_URL,
            sentinelPassword: v.REDIS_SENTINEL_PASSWORD,
            commandTimeoutMs: v.REDIS_TIMEOUT_MS,
            keyPrefix: v.REDIS_KEY_PREFIX,
          },
    tokens: {
      minRemainingMs: v.MIN_REMAINING_MINUTES * minute,
      encryptionKeys: givenKeys ?? [{ id: "development", secret: createSecretKey(randomBytes(32)) }],
      encryptionKeysFile: v.TOKEN_ENCRYPTION_KEYS_FILE?.path,
      encryptionKeysMadeUp: givenKeys === undefined,
      maxCachedIdentities: v.MAX_CACHED_IDENTITIES,
    },
    access: {
      apiKeys: v.API_KEYS ?? v.API_KEYS_FILE?.keys ?? [],
      apiKeysFile: v.API_KEYS_FILE?.path,
      issuers: v.OIDC_ISSUERS ?? [],
      developmentKey,
    },
    directory: toDirectory(v),
    limits: {
      callerRequests: v.CALLER_REQUESTS_PER_MINUTE,
      addressRequests: v.ADDRESS_REQUESTS_PER_MINUTE,
      callerIssuances: v.CALLER_ISSUANCES_PER_MINUTE,
      addressIssuances: v.ADDRESS_ISSUANCES_PER_MINUTE,
    },
    operations: { file: v.OPERATIONS_FILE, onlyListed: v.ONLY_LISTED_OPERATIONS },
    audit: v.AUDIT_LOG ?? (production ? "stdout" : "off"),
    explorer: v.EXPLORER ?? !production,
    logLevel: v.LOG_LEVEL,
    tracing: toTracing(v),
    logRequests: v.LOG_REQUESTS ?? (production ? "all" : "errors"),
  };
}

function toResources(v: Variables, hasProxy: boolean): AcsResource[] {
  const named = [...(v.ACS_CONNECTION_STRING ?? []), ...(v.ACS_ENDPOINT ?? [])];
  return named.map(({ endpoint, accessKey, resourceId, weight, rateLimit }) => ({
    endpoint,
    accessKey,
    resourceId: resourceId ?? v.ACS_RESOURCE_ID?.toLowerCase(),
    weight: weight ?? 1,
    issuances: rateLimit ?? v.ACS_RATE_LIMIT,
    throughProxy: hasProxy && !isLoopback(new URL(endpoint)),
  }));
}

/** Users whose issuer does not say which identity is theirs need a directory; who names a place for one wants it. */
function toDirectory(v: Variables): Config["directory"] {
  if (!needsDirectory(v)) return undefined;
  const path = v.DIRECTORY_PATH ?? resolve(".acs-token-gateway");
  return { databaseUrl: v.DATABASE_URL, path, maxDevices: v.MAX_DEVICES };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null && !Buffer.isBuffer(part)) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
