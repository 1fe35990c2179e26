/** Every environment variable: its form, its default and what it means. */
import { z } from "zod";
import { defaultIssuances } from "../services/azure/upstream-operation";
import { logLevels } from "../services/telemetry/logger";
import {
  apiKeys,
  apiKeysFile,
  auditLog,
  connectionString,
  databaseUrl,
  encryptionKeys,
  encryptionKeysFile,
  networks,
  oidcIssuers,
  origins,
  path,
  redisUrl,
  url,
  wholeNumber,
  yesOrNo,
} from "./values";

/** Every variable. */
export const variables = z.object({
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
  API_KEYS: apiKeys
    .optional()
    .describe("the services that may call; in production some callers must be configured"),
  API_KEYS_FILE: apiKeysFile
    .optional()
    .describe("a file with the API keys, read again when it changes and at SIGHUP"),
  DEVELOPMENT_API_KEY: z
    .string()
    .min(16, "must have at least 16 characters")
    .optional()
    .describe("the development key, instead of a new one at each start; refused in production"),
  OIDC_ISSUERS: oidcIssuers.optional().describe("the issuers whose access tokens recognise the app's users"),
  DATABASE_URL: databaseUrl
    .optional()
    .describe("PostgreSQL for the directory of users' identities; a folder of its own otherwise"),
  DIRECTORY_PATH: path
    .optional()
    .describe("the folder of the directory of users' identities without DATABASE_URL; .acs-token-gateway"),
  MAX_DEVICES: wholeNumber(0, 1_000)
    .default(10)
    .describe("identities that a user may have beside his own, one per device label"),
  CALLER_REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(600)
    .describe("requests of one user; an API key may have a limit of its own, and has none otherwise"),
  ADDRESS_REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(6_000)
    .describe("requests from one address, or from one /64 of IPv6"),
  CALLER_ISSUANCES_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(30)
    .describe("calls to Azure that one user can cause"),
  ADDRESS_ISSUANCES_PER_MINUTE: wholeNumber(1, 10_000_000)
    .default(600)
    .describe("calls to Azure that users at one address can cause"),
  TRUSTED_PROXIES: networks
    .optional()
    .describe("proxies whose x-forwarded-for is believed; none when left out"),
  TLS_CERT_FILE: path
    .optional()
    .describe("the certificate chain (PEM) to serve TLS with, read again when it changes"),
  TLS_KEY_FILE: path.optional().describe("its private key (PEM)"),
  MAX_CONNECTIONS: wholeNumber(1, 1_000_000).default(10_000).describe("connections from clients at once"),
  OPERATION_TIMEOUT_MS: wholeNumber(1_000, 120_000)
    .default(30_000)
    .describe("the longest that an operation may take as a whole"),
  OPERATIONS_FILE: path.optional().describe("the list of operations that clients may send by id"),
  ONLY_LISTED_OPERATIONS: yesOrNo.default(false).describe("refuse every operation that is not in that list"),
  AUDIT_LOG: auditLog
    .optional()
    .describe("where the audit goes: stdout, stderr, off or a file; stdout in production, off otherwise"),
  CORS_ORIGINS: origins.optional().describe("browser origins that may call; none when left out"),
  BODY_LIMIT_BYTES: wholeNumber(1_024, 10_485_760).default(102_400).describe("the largest request body"),
  EXPLORER: yesOrNo.optional().describe("serve Sandbox and /explorer; default true, in production false"),
  LOG_LEVEL: z
    .enum(logLevels, `must be one of ${logLevels.join(", ")}`)
    .default("info")
    .describe("how much is logged"),
});

/** The values of all variables. */
export type Variables = z.output<typeof variables>;

/** Whether the environment asks for the production rules. */
export function isProduction(environment: { readonly NODE_ENV?: string | undefined }): boolean {
  return environment.NODE_ENV === "production";
}

/** What starts like one of ours: a misspelled variable is the commonest fault. */
const ours =
  /^(ACS_|API_KEYS|DEVELOPMENT_API|REDIS_(URL|TIMEOUT|KEY|SENTINEL)|TOKEN_ENCRYPTION|MIN_REMAINING|MAX_CACHED|CORS_ORIGIN|BODY_LIMIT|OIDC_|DATABASE_URL|DIRECTORY_|MAX_DEVICES|CALLER_|ADDRESS_|TRUSTED_PROX|TLS_(CERT|KEY)|MAX_CONNECTIONS|OPERATIONS?_|ONLY_LISTED|AUDIT_LOG)/;
/** What Kubernetes sets for a service that is called like ours. */
const foreign = /^ACS_(TOKEN_GATEWAY_)?(SERVICE_|PORT($|_))/;

/** What is said of names that look like ours and are none. */
export function unknownVariables(names: readonly string[]): string[] {
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
