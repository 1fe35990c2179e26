/** Environment → one frozen Config, or one message that lists every wrong variable. The only reader of the environment. */
import { createHash, randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { z } from "zod";
import type { BudgetOptions } from "./services/azure/upstream-budget";
import { defaultIssuances, limitWindowMs } from "./services/azure/upstream-operation";
import { hashApiKey, type ApiKey } from "./services/access/api-key-authenticator";
import { addressText, parseRedisUrl, redisUrlForms, type RedisAddress } from "./services/redis/redis-address";
import { logLevels, type LogLevel } from "./services/telemetry/logger";
import { parseEncryptionKeys, type EncryptionKey } from "./services/tokens/encryption-keys";
import { readKeyFile } from "./services/tokens/key-ring";

/** What the gateway runs on. */
export interface Config {
  readonly production: boolean;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly corsOrigins: readonly string[] | "*";
    readonly bodyLimitBytes: number;
    readonly requestTimeoutMs: number;
    readonly headersTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    readonly drainTimeoutMs: number;
  };
  readonly acs: {
    readonly endpoint: string;
    /** Undefined: Entra, through DefaultAzureCredential. */
    readonly accessKey: string | undefined;
    readonly resourceId: string | undefined;
    readonly deadlineMs: number;
    readonly maxSockets: number;
    readonly throughProxy: boolean;
    readonly budget: BudgetOptions;
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
    readonly apiKeys: readonly ApiKey[];
    /** The key that a development gateway shows and puts into its explorer. */
    readonly developmentKey: string | undefined;
  };
  readonly explorer: boolean;
  readonly logLevel: LogLevel;
}

/** The environment does not describe a gateway. The message is for the operator, lists everything and ends in a hint. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:\n` +
        problems.map((problem) => `  - ${problem}`).join("\n"),
    );
  }
}

const minute = 60_000;

/** SHA-256 of the access keys that the bundled emulator publishes, which protect nothing. */
const emulatorKeyHashes = new Set([
  "86674e4f337d979347caaa19ff5a5edc24a6547c38b0591711d9e85fe3c3a2d3",
  "98d75988c2cb649dab2519cc5d010b4908589e635ff1fd4aebe6f929f69c65a9",
]);

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

const yesOrNo = z.enum(["true", "false"], "must be true or false").transform((value) => value === "true");

const connectionString = z.string().transform((value, context) => {
  const match = /^\s*endpoint=(.+?);\s*accesskey=([^;]+);?\s*$/i.exec(value);
  const endpoint = match?.[1] && URL.canParse(match[1]) ? new URL(match[1]) : undefined;
  const key = match?.[2]?.trim();
  if (!endpoint || !key || !isBase64(key)) {
    // The value holds a key, so the message must not repeat any of it.
    context.addIssue(
      "must look like endpoint=https://<resource>.communication.azure.com/;accesskey=<base64 key>",
    );
    return z.NEVER;
  }
  return { endpoint, accessKey: key };
});

const url = (protocols: readonly string[], example: string) =>
  z
    .string()
    .refine(
      (value) =>
        URL.canParse(value) && protocols.includes(new URL(value).protocol) && new URL(value).host !== "",
      `must look like ${example}`,
    );

const redisUrl = z.string().transform((value, context) => {
  const address = parseRedisUrl(value);
  if (address) return address;
  // The value may hold a password, so the message must not repeat any of it.
  context.addIssue(`must look like ${redisUrlForms}`);
  return z.NEVER;
});

const encryptionKeys = z.string().transform((value, context) => {
  const { keys, problem } = parseEncryptionKeys(value);
  if (keys) return keys;
  context.addIssue(problem);
  return z.NEVER;
});

const encryptionKeysFile = z.string().transform((value, context) => {
  const path = resolve(value);
  const { keys, problem } = readKeyFile(path);
  if (keys) return { path, keys };
  context.addIssue(problem);
  return z.NEVER;
});

const apiKeys = z.string().transform((value, context) => {
  const keys = list(value).map((item) => {
    const [, name, hash] = /^([\w.-]{1,64}):([0-9a-fA-F]{64})$/.exec(item) ?? [];
    return { name: name ?? "", hash: Buffer.from(hash ?? "", "hex") };
  });
  if (keys.length === 0 || keys.some((key) => key.name === "")) {
    context.addIssue(
      "must be <name>:<SHA-256 of the key in hex>, several separated by commas; `acs-token-gateway new-key <name>` makes one",
    );
    return z.NEVER;
  }
  return keys;
});

const origins = z.string().transform((value, context) => {
  if (value.trim() === "*") return "*" as const;
  const found = list(value);
  if (found.some((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin)) {
    context.addIssue(
      "must be origins such as https://app.example.com separated by commas, without a path, or *",
    );
    return z.NEVER;
  }
  return found;
});

/** Every variable: its form, its default and what it means. */
const variables = z.object({
  NODE_ENV: z.string().optional().describe("`production` turns on the production rules"),
  HOST: z.string().min(1).optional().describe("address to listen on; 127.0.0.1, in production 0.0.0.0"),
  PORT: wholeNumber(0, 65535).default(4000).describe("port to listen on; 0 takes a free one"),
  ACS_CONNECTION_STRING: connectionString.optional().describe("the ACS resource with its access key"),
  ACS_ENDPOINT: url(["https:"], "https://<resource>.communication.azure.com")
    .optional()
    .describe("the ACS resource, used with Entra credentials (DefaultAzureCredential)"),
  ACS_RESOURCE_ID: z
    .uuid("must be the resource's immutable id, a GUID")
    .optional()
    .describe("refuses other resources' identities from the first request on; learned from Azure otherwise"),
  // A revocation that dies half way must stay pending for longer than itself and an issuance: one minute in all.
  ACS_TIMEOUT_MS: wholeNumber(1_000, 20_000)
    .default(10_000)
    .describe("deadline of a call to Azure, all attempts"),
  ACS_MAX_CONNECTIONS: wholeNumber(1, 1_000)
    .default(100)
    .describe("connections to Azure at once; each operation uses half of them at most"),
  ACS_RATE_LIMIT: wholeNumber(1, 1_000_000)
    .default(defaultIssuances)
    .describe("issuances that Azure allows the resource in 30 seconds; other operations in proportion"),
  REPLICAS: wholeNumber(1, 1_000)
    .default(3)
    .describe(
      "gateways that share the resource: while Redis is away each keeps to its share of Azure's limit",
    ),
  REDIS_URL: redisUrl
    .optional()
    .describe("the cache that replicas share; without it each process has its own"),
  REDIS_SENTINEL_PASSWORD: z.string().optional().describe("the password of the sentinels, if they have one"),
  // A primary that is silent for longer must have been given up before another is promoted.
  REDIS_TIMEOUT_MS: wholeNumber(10, 1_000)
    .default(250)
    .describe("the longest that a request waits for Redis"),
  REDIS_KEY_PREFIX: z.string().max(64).default("acsgw:").describe("starts every key in Redis"),
  TOKEN_ENCRYPTION_KEYS: encryptionKeys
    .optional()
    .describe("the key ring for cached tokens; this or a file is required in production with Redis"),
  TOKEN_ENCRYPTION_KEYS_FILE: encryptionKeysFile
    .optional()
    .describe("a file with the key ring, read again when it changes and at SIGHUP"),
  MIN_REMAINING_MINUTES: wholeNumber(11, 59)
    .default(15)
    .describe("a cached token with less life left is not served; ACS clients refresh below 10 minutes"),
  MAX_CACHED_IDENTITIES: wholeNumber(1, 10_000_000)
    .default(50_000)
    .describe("bound of the cache without Redis"),
  API_KEYS: apiKeys.optional().describe("who may call; required in production"),
  DEVELOPMENT_API_KEY: z
    .string()
    .min(16, "must have at least 16 characters")
    .optional()
    .describe("the development key, instead of a new one at each start; refused in production"),
  CORS_ORIGINS: origins.optional().describe("browser origins that may call; none when left out"),
  BODY_LIMIT_BYTES: wholeNumber(1_024, 10_485_760).default(102_400).describe("the largest request body"),
  EXPLORER: yesOrNo.optional().describe("serve Sandbox and /explorer; default true, in production false"),
  LOG_LEVEL: z
    .enum(logLevels, `must be one of ${logLevels.join(", ")}`)
    .default("info")
    .describe("how much is logged"),
});

type Variables = z.output<typeof variables>;

/** The environment's variables as they are; `process.env` fits. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What starts like one of ours: a misspelled variable is the commonest fault. */
const ours =
  /^(ACS_|API_KEYS|DEVELOPMENT_API|REDIS_(URL|TIMEOUT|KEY|SENTINEL)|TOKEN_ENCRYPTION|MIN_REMAINING|MAX_CACHED|CORS_ORIGIN|BODY_LIMIT)/;
/** What Kubernetes sets for a service that is called like ours. */
const foreign = /^ACS_(TOKEN_GATEWAY_)?(SERVICE_|PORT($|_))/;

/** The environment of this process. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Whether the environment names an ACS resource; without one, a development gateway may bring the emulator along. */
export function namesResource(environment: Environment): boolean {
  return Boolean(environment.ACS_CONNECTION_STRING) || Boolean(environment.ACS_ENDPOINT);
}

/** Whether the environment asks for the production rules. */
export function isProduction(environment: { readonly NODE_ENV?: string | undefined }): boolean {
  return environment.NODE_ENV === "production";
}

/** Reads, checks and freezes. Throws {@link ConfigError}. */
export function loadConfig(environment: Environment): Config {
  // An empty variable is one that is not set: that is how Compose and Kubernetes leave them out.
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = variables.safeParse(given);
  const problems = [
    ...(parsed.error?.issues ?? []).map((issue) => `${String(issue.path[0])} ${issue.message}.`),
    ...unknownVariables(Object.keys(given)),
    ...(parsed.success ? contradictions(parsed.data) : contradictionsAmong(given, parsed.error)),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(toConfig(parsed.data, environment));
}

/** The contradictions among the values that are well-formed, so that one start tells everything. */
function contradictionsAmong(given: Environment, { issues }: z.ZodError): string[] {
  const malformed = new Set(issues.map((issue) => String(issue.path[0])));
  const rest = variables.safeParse(
    Object.fromEntries(Object.entries(given).filter(([name]) => !malformed.has(name))),
  );
  if (!rest.success) return [];
  // A malformed value is there, though: its name must not be said to be missing.
  const subject = (problem: string) => problem.split(" must")[0]?.split(" or ") ?? [];
  return contradictions(rest.data).filter((problem) => !subject(problem).some((name) => malformed.has(name)));
}

function toConfig(v: Variables, environment: Environment): Config {
  const production = isProduction(v);
  const endpoint = v.ACS_CONNECTION_STRING?.endpoint ?? new URL(v.ACS_ENDPOINT ?? "");
  const developmentKey = production
    ? undefined
    : (v.DEVELOPMENT_API_KEY ?? randomBytes(24).toString("base64url"));
  const loopback = isLoopback(endpoint);
  const givenKeys = v.TOKEN_ENCRYPTION_KEYS ?? v.TOKEN_ENCRYPTION_KEYS_FILE?.keys;
  return {
    production,
    http: {
      host: v.HOST ?? (production ? "0.0.0.0" : "127.0.0.1"),
      port: v.PORT,
      corsOrigins: v.CORS_ORIGINS ?? [],
      bodyLimitBytes: v.BODY_LIMIT_BYTES,
      requestTimeoutMs: 15_000,
      headersTimeoutMs: 10_000,
      // Longer than the idle time of common load balancers (60 s), which would else reuse a connection being closed.
      keepAliveTimeoutMs: 65_000,
      drainTimeoutMs: 20_000,
    },
    acs: {
      endpoint: endpoint.origin,
      accessKey: v.ACS_CONNECTION_STRING?.accessKey,
      resourceId: v.ACS_RESOURCE_ID?.toLowerCase(),
      deadlineMs: v.ACS_TIMEOUT_MS,
      maxSockets: v.ACS_MAX_CONNECTIONS,
      budget: { issuances: v.ACS_RATE_LIMIT, windowMs: limitWindowMs, replicas: v.REPLICAS },
      throughProxy: !loopback && Boolean(environment.HTTPS_PROXY ?? environment.https_proxy),
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
      encryptionKeys: givenKeys ?? [{ id: "development", secret: randomBytes(32) }],
      encryptionKeysFile: v.TOKEN_ENCRYPTION_KEYS_FILE?.path,
      encryptionKeysMadeUp: givenKeys === undefined,
      maxCachedIdentities: v.MAX_CACHED_IDENTITIES,
    },
    access: {
      apiKeys: [
        ...(v.API_KEYS ?? []),
        ...(developmentKey === undefined ? [] : [{ name: "development", hash: hashApiKey(developmentKey) }]),
      ],
      developmentKey,
    },
    explorer: v.EXPLORER ?? !production,
    logLevel: v.LOG_LEVEL,
  };
}

/** Values that are fine alone and wrong together. */
function contradictions(v: Variables): string[] {
  const problems: string[] = [];
  const acs = v.ACS_CONNECTION_STRING;
  if (acs && v.ACS_ENDPOINT !== undefined) {
    problems.push("ACS_CONNECTION_STRING and ACS_ENDPOINT must not both be set: use a key, or Entra.");
  }
  if (!acs && v.ACS_ENDPOINT === undefined) {
    problems.push("ACS_CONNECTION_STRING or ACS_ENDPOINT must be set: which ACS resource issues the tokens?");
  }
  if (acs) problems.push(...endpointProblems(acs.endpoint));
  if (v.TOKEN_ENCRYPTION_KEYS && v.TOKEN_ENCRYPTION_KEYS_FILE) {
    problems.push("TOKEN_ENCRYPTION_KEYS and TOKEN_ENCRYPTION_KEYS_FILE must not both be set.");
  }
  return isProduction(v) ? [...problems, ...productionProblems(v)] : problems;
}

function endpointProblems(endpoint: URL): string[] {
  const problems: string[] = [];
  if (endpoint.pathname !== "/") problems.push("ACS_CONNECTION_STRING must have an endpoint without a path.");
  const plain = endpoint.protocol === "http:" && isLoopback(endpoint);
  if (endpoint.protocol !== "https:" && !plain) {
    problems.push(
      "ACS_CONNECTION_STRING must have an https endpoint; http is for an emulator on this machine (127.0.0.1, localhost, [::1]).",
    );
  }
  return problems;
}

function productionProblems(v: Variables): string[] {
  const problems: string[] = [];
  const acs = v.ACS_CONNECTION_STRING;
  if (acs && emulatorKeyHashes.has(createHash("sha256").update(acs.accessKey).digest("hex"))) {
    problems.push("ACS_CONNECTION_STRING has the emulator's published access key, which production refuses.");
  } else if (acs?.endpoint.protocol === "http:") {
    problems.push("ACS_CONNECTION_STRING must have an https endpoint in production.");
  }
  if (!v.API_KEYS) {
    problems.push("API_KEYS must be set in production: `acs-token-gateway new-key <name>` makes an entry.");
  }
  if (v.DEVELOPMENT_API_KEY !== undefined) {
    problems.push("DEVELOPMENT_API_KEY must not be set in production: use API_KEYS.");
  }
  if (v.REDIS_URL !== undefined && !v.TOKEN_ENCRYPTION_KEYS && !v.TOKEN_ENCRYPTION_KEYS_FILE) {
    problems.push(
      "TOKEN_ENCRYPTION_KEYS or TOKEN_ENCRYPTION_KEYS_FILE must be set in production with REDIS_URL: `acs-token-gateway new-key` makes one.",
    );
  }
  return problems;
}

function unknownVariables(names: readonly string[]): string[] {
  const known = Object.keys(variables.shape);
  return names
    .filter((name) => ours.test(name) && !foreign.test(name) && !known.includes(name))
    .map((name) => `${name} is not a variable of the gateway. Known are ${known.join(", ")}.`);
}

/** Every variable with its meaning, for `--help` and the documentation. */
export function describeVariables(): { readonly name: string; readonly meaning: string }[] {
  return Object.entries(variables.shape).map(([name, schema]) => ({
    name,
    meaning: schema.description ?? "",
  }));
}

/** The configuration in effect, secrets as fingerprints, for `acs-token-gateway check`. */
export function describeConfig(config: Config): Record<string, unknown> {
  return {
    ...config,
    acs: { ...config.acs, accessKey: config.acs.accessKey ? fingerprint(config.acs.accessKey) : "Entra" },
    redis: config.redis && { ...config.redis, ...describeRedis(config.redis) },
    tokens: {
      ...config.tokens,
      encryptionKeys: config.tokens.encryptionKeys.map((key) => `${key.id}:${fingerprint(key.secret)}`),
    },
    access: {
      apiKeys: config.access.apiKeys.map((key) => `${key.name}:${key.hash.toString("hex").slice(0, 8)}…`),
      developmentKey: config.access.developmentKey ? "set" : undefined,
    },
  };
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

function isLoopback(endpoint: URL): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(endpoint.hostname);
}

function isBase64(value: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(value) && value.length % 4 === 0;
}

function list(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null && !Buffer.isBuffer(part)) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
