/** Every environment variable: its form, its default and what it means. */
import { z } from "zod";
import { defaultIssuances } from "../services/azure/upstream-operation";
import { logLevels } from "../services/telemetry/logger";
import { loggedRequests } from "../services/telemetry/request-log";
import { defaultRatio, otlpProtocols, samplerNames } from "../services/telemetry/tracing-options";
import { maxRateLimit } from "./acs-resources";
import {
  acsEndpoints,
  apiKeys,
  apiKeysFile,
  auditLog,
  connectionStrings,
  databaseUrl,
  encryptionKeys,
  encryptionKeysFile,
  nameValues,
  networks,
  oidcIssuers,
  origins,
  path,
  ratio,
  redisUrl,
  url,
  wholeNumber,
  yesOrNo,
} from "./values";

const otlpHeaders = nameValues(
  /^[\w!#$%&'*+.^`|~-]+$/,
  "must look like name=value,name=value with the values percent-encoded",
);

const protocol = z.enum(
  otlpProtocols,
  `must be one of ${otlpProtocols.join(", ")}; the gateway does not speak gRPC`,
);

/** Every variable. */
export const variables = z.object({
  NODE_ENV: z
    .string()
    .optional()
    .describe(
      "unset, `development` or `test`, in any case: the rules of development. Anything else, such as `staging`, has the [production rules](threat-model.md#which-rules-are-in-force), and the first line of the log says which are in force",
    ),
  HOST: z.string().min(1).optional().describe("address to listen on"),
  PORT: wholeNumber(0, 65535).default(4000).describe("port to listen on; 0 takes a free one"),
  METRICS_PORT: wholeNumber(0, 65535)
    .optional()
    .describe(
      "a second port, plain HTTP, that serves `/metrics` and `/health` without credentials: for a network that only scrapers and probes are in. Without it `/metrics` is on `PORT` alone, for [operators](operations.md#scraping)",
    ),
  METRICS_HOST: z.string().min(1).optional().describe("address to listen on for `METRICS_PORT`"),
  ACS_CONNECTION_STRING: connectionStrings
    .optional()
    .describe(
      "the resource with its access key: `endpoint=https://<resource>.communication.azure.com/;accesskey=…`, [several](#several-resources) separated by commas. Plain http for this machine only, and never in production",
    ),
  ACS_ENDPOINT: acsEndpoints
    .optional()
    .describe(
      "the resource's https endpoint, used with Entra credentials, [several](#several-resources) separated by commas: `DefaultAzureCredential` reads its own variables, such as `AZURE_CLIENT_ID`",
    ),
  ACS_RESOURCE_ID: z
    .uuid("must be the resource's immutable id, a GUID")
    .optional()
    .describe(
      "the immutable id (a GUID) of the one resource: identities of other resources are refused without asking Azure, from the first request on",
    ),
  // A revocation that dies half way must stay pending for longer than itself and an issuance: one minute in all.
  ACS_TIMEOUT_MS: wholeNumber(1_000, 20_000)
    .default(10_000)
    .describe("deadline of a call to Azure with all its attempts, 1000 to 20000"),
  ACS_MAX_CONNECTIONS: wholeNumber(1, 1_000)
    .default(100)
    .describe(
      "connections to a resource at once, 1 to 1000; each operation uses half of them at most, so that one that hangs leaves some to the others",
    ),
  ACS_RATE_LIMIT: wholeNumber(1, maxRateLimit)
    .default(defaultIssuances)
    .describe(
      "issuances that Azure allows a resource in 30 seconds (it raises the limit on request), 1 to 1000000; the other operations' limits are taken in proportion",
    ),
  REPLICAS: wholeNumber(1, 1_000)
    .default(3)
    .describe(
      "how many gateways share the resources, 1 to 1000: while Redis is away each keeps to its share of the limits. 1 says that this gateway is the only one",
    ),
  REDIS_URL: redisUrl
    .optional()
    .describe(
      "`redis://host:6379/0`, `redis-sentinel://host:26379,host:26379/0#primary-name` or `redis-cluster://host:6379,host:6379`; with TLS `rediss…`; `user:password@` before the first host. Redis 7 or newer, which must answer when the gateway starts; see [Redis](redis.md). Without it, each process has a cache of its own",
    ),
  REDIS_SENTINEL_PASSWORD: z
    .string()
    .optional()
    .describe("the password of the sentinels themselves, if they have one"),
  // A primary that is silent for longer must have been given up before another is promoted.
  REDIS_TIMEOUT_MS: wholeNumber(10, 1_000)
    .default(250)
    .describe("the longest that a request waits for Redis, 10 to 1000"),
  REDIS_KEY_PREFIX: z.string().max(64).default("acsgw:").describe("starts every key, at most 64 characters"),
  TOKEN_ENCRYPTION_KEYS: encryptionKeys
    .optional()
    .describe(
      "`<key id>:<base64 of 32 bytes>`, several separated by commas or newlines: the first seals, all open. This or the file is required in production with Redis",
    ),
  TOKEN_ENCRYPTION_KEYS_FILE: encryptionKeysFile
    .optional()
    .describe(
      "a file with the same text instead, which is [read again](#rotating-the-encryption-keys) when it changes",
    ),
  MIN_REMAINING_MINUTES: wholeNumber(11, 59)
    .default(15)
    .describe(
      "a cached token with less life left is not served, 11 to 59. The ACS client SDK refreshes below 10 minutes",
    ),
  MAX_CACHED_IDENTITIES: wholeNumber(1, 10_000_000)
    .default(50_000)
    .describe(
      "bound of the cache without Redis, 1 to 10000000: the least recently used identities are forgotten first",
    ),
  API_KEYS: apiKeys
    .optional()
    .describe(
      "the services that may call: `<name>:<SHA-256 of the key, hex> rights=…`, several separated by commas. `npx acs-token-gateway keys new-api-key <name>` makes one. In production some callers must be configured: this, the file or issuers",
    ),
  API_KEYS_FILE: apiKeysFile
    .optional()
    .describe("a file with the same text instead, read again every 5 seconds and at `SIGHUP`"),
  DEVELOPMENT_API_KEY: z
    .string()
    .min(16, "must have at least 16 characters")
    .optional()
    .describe("the development key, 16 characters or more, which may do everything. Refused in production"),
  OIDC_ISSUERS: oidcIssuers
    .optional()
    .describe(
      "the issuers whose access tokens recognise the users of your app: `https://login.example.com audience=… …`, several separated by commas",
    ),
  DATABASE_URL: databaseUrl
    .optional()
    .describe(
      "PostgreSQL 12 or newer, which any number of gateways share: `postgres://user:password@host:5432/database?sslmode=verify-full`",
    ),
  DIRECTORY_PATH: path
    .optional()
    .describe(
      "the folder of the embedded directory, which one gateway has to itself; in production only with `REPLICAS=1`",
    ),
  MAX_DEVICES: wholeNumber(0, 1_000)
    .default(10)
    .describe("identities that a user may have beside his own, one for each device label, 0 to 1000"),
  CALLER_REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000).default(600).describe("requests of one user"),
  ADDRESS_REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(6_000)
    .describe("requests from one address, or one /64 of IPv6, without an API key"),
  CALLER_ISSUANCES_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(30)
    .describe("calls to Azure that one user can cause"),
  ADDRESS_ISSUANCES_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(600)
    .describe("calls to Azure that users at one address can cause"),
  TRUSTED_PROXIES: networks
    .optional()
    .describe(
      "proxies whose `x-forwarded-for` is believed: addresses, networks (`10.0.0.0/8`), `loopback`, `linklocal`, `uniquelocal`, separated by commas",
    ),
  TLS_CERT_FILE: path
    .optional()
    .describe(
      "the certificate chain (PEM) to serve TLS with; plain HTTP without it. Read again when it changes and at `SIGHUP`",
    ),
  TLS_KEY_FILE: path.optional().describe("its private key (PEM)"),
  MAX_CONNECTIONS: wholeNumber(1, 1_000_000)
    .default(10_000)
    .describe(
      "connections from clients at once, 1 to 1000000. Above 90 % of it those that wait for a next request are closed, the longest idle first. Times `BODY_LIMIT_BYTES` it bounds the memory that half-sent bodies can hold",
    ),
  OPERATION_TIMEOUT_MS: wholeNumber(1_000, 120_000)
    .default(30_000)
    .describe("the longest that an operation may take as a whole, 1000 to 120000"),
  OPERATIONS_FILE: path
    .optional()
    .describe("a [list of operations](access.md#only-listed-operations) that clients may send by id"),
  ONLY_LISTED_OPERATIONS: yesOrNo.default(false).describe("refuse every operation that is not in that list"),
  AUDIT_LOG: auditLog
    .optional()
    .describe("where [the audit](access.md#the-audit) goes: `stdout`, `stderr`, `off` or a file"),
  CORS_ORIGINS: origins.optional().describe("browser origins that may call, separated by commas, or `*`"),
  DRAIN_DELAY_MS: wholeNumber(0, 300_000)
    .optional()
    .describe(
      "how long a gateway that gets SIGTERM says `draining` and serves on, until load balancers send it nothing more, 0 to 300000; see [draining](operations.md#health-and-draining). Ctrl-C does not wait",
    ),
  DRAIN_TIMEOUT_MS: wholeNumber(100, 300_000)
    .default(20_000)
    .describe("after that, the longest that requests in flight may take to finish, 100 to 300000"),
  BODY_LIMIT_BYTES: wholeNumber(1_024, 10_485_760)
    .default(102_400)
    .describe("the largest request body, 1024 to 10485760"),
  EXPLORER: yesOrNo
    .optional()
    .describe("serve `/explorer` and Apollo Sandbox; in production introspection too"),
  LOG_REQUESTS: z
    .enum(loggedRequests, `must be one of ${loggedRequests.join(", ")}`)
    .optional()
    .describe(
      "which requests have [a line in the log](operations.md#logs): all, errors (those that were not answered with success) or off",
    ),
  LOG_LEVEL: z
    .enum(logLevels, `must be one of ${logLevels.join(", ")}`)
    .default("info")
    .describe(
      "fatal, error, warn, info, debug, trace or silent; [another one for a time](operations.md#logs) while it runs. The log is JSON lines on stderr",
    ),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(["http:", "https:"], "http://collector:4318")
    .optional()
    .describe(
      "the OTLP/HTTP receiver of [traces](operations.md#traces), to which `/v1/traces` is added: `http://collector:4318`. Without this and the next, nothing is traced",
    ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url(["http:", "https:"], "http://collector:4318/v1/traces")
    .optional()
    .describe("the whole URL instead, for traces alone"),
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol.optional().describe("`http/protobuf` or `http/json`"),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol.optional().describe("the same, for traces alone"),
  OTEL_EXPORTER_OTLP_HEADERS: otlpHeaders
    .optional()
    .describe(
      "headers for the receiver, such as its key: `name=value,name=value`, percent-encoded. A secret",
    ),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: otlpHeaders
    .optional()
    .describe("more of them, for traces alone, which win over those. A secret"),
  OTEL_TRACES_SAMPLER: z
    .enum(samplerNames, `must be one of ${samplerNames.join(", ")}`)
    .default("parentbased_traceidratio")
    .describe(
      `which requests are traced: ${samplerNames.map((name) => `\`${name}\``).join(", ")}. Those that begin with \`parentbased\` do as the caller's \`traceparent\` says, if there is one`,
    ),
  OTEL_TRACES_SAMPLER_ARG: ratio
    .default(defaultRatio)
    .describe("the share of traces that are kept, for the samplers of a ratio: 0 to 1"),
  OTEL_TRACES_EXPORTER: z
    .enum(["otlp", "none"], "must be otlp or none")
    .default("otlp")
    .describe("`otlp`, or `none`: nothing is traced, whatever else is set"),
  OTEL_SDK_DISABLED: yesOrNo.default(false).describe("true: nothing is traced, whatever else is set"),
  OTEL_BSP_SCHEDULE_DELAY: wholeNumber(10, 60_000)
    .default(2_000)
    .describe("how long a span waits for others to be sent with, in milliseconds, 10 to 60000"),
  OTEL_SERVICE_NAME: z.string().max(255).optional().describe("the gateway's name in traces"),
  OTEL_RESOURCE_ATTRIBUTES: nameValues(
    /^[\w./-]{1,255}$/,
    "must look like deployment.environment.name=production,cloud.region=westeurope with the values percent-encoded",
  )
    .optional()
    .describe("more to tell its spans by: `deployment.environment.name=production,…`, percent-encoded"),
});

/** The values of all variables. */
export type Variables = z.output<typeof variables>;

/** What starts like one of ours: a misspelled variable is the commonest fault. */
const ours =
  /^(ACS_|API_KEYS|DEVELOPMENT_API|REDIS_(URL|TIMEOUT|KEY|SENTINEL)|TOKEN_ENCRYPTION|MIN_REMAINING|MAX_CACHED|CORS_ORIGIN|BODY_LIMIT|OIDC_|DATABASE_URL|DIRECTORY_|MAX_DEVICES|CALLER_|ADDRESS_|TRUSTED_PROX|TLS_(CERT|KEY)|MAX_CONNECTIONS|OPERATIONS?_|ONLY_LISTED|AUDIT_LOG|METRICS_(PORT|HOST)S?$|DRAIN_|LOG_REQUEST)/;
/** What Kubernetes sets for a service that is called like ours. */
const foreign = /^ACS_(TOKEN_GATEWAY_)?(SERVICE_|PORT($|_))/;

/** What is said of names that look like ours and are none. */
export function unknownVariables(names: readonly string[]): string[] {
  const known = Object.keys(variables.shape);
  return names
    .filter((name) => ours.test(name) && !foreign.test(name) && !known.includes(name))
    .map((name) => `${name} is not a variable of the gateway. Known are ${known.join(", ")}.`);
}

/** What a variable that is left out amounts to, where no value says it. */
const otherwise: Partial<Record<keyof Variables, string>> = {
  ACS_RESOURCE_ID: "learned",
  DEVELOPMENT_API_KEY: "made up at each start",
  AUDIT_LOG: "stdout in production, else off",
  DIRECTORY_PATH: "`.acs-token-gateway`",
  TOKEN_ENCRYPTION_KEYS: "made up at each start",
  REDIS_KEY_PREFIX: "`acsgw:`",
  LOG_REQUESTS: "errors; in production all",
  HOST: "127.0.0.1; in production 0.0.0.0",
  METRICS_HOST: "that of `HOST`",
  CORS_ORIGINS: "none",
  TRUSTED_PROXIES: "none",
  DRAIN_DELAY_MS: "0; in production 5000",
  EXPLORER: "true; in production false",
  OTEL_EXPORTER_OTLP_PROTOCOL: "`http/protobuf`",
  OTEL_SERVICE_NAME: "acs-token-gateway",
};

/** Every variable with its default and its meaning in Markdown, for the documentation. */
export function describeVariables(): readonly {
  readonly name: string;
  readonly default: string;
  readonly meaning: string;
}[] {
  return Object.entries(variables.shape).map(([name, schema]) => ({
    name,
    default: otherwise[name as keyof Variables] ?? defaultOf(schema),
    meaning: schema.description ?? "",
  }));
}

function defaultOf(schema: z.ZodType): string {
  return schema instanceof z.ZodDefault ? String(schema.def.defaultValue) : "";
}
