/** The gateway, as the program that is installed: `acs-token-gateway start`, with the settings of production. */
import { createHash, randomBytes } from "node:crypto";
import { startChild } from "./children.mjs";
import { program } from "./emulator.mjs";
import { audience, identityClaim } from "./issuer.mjs";

/** So high that everything is counted and nobody is refused. */
const unlimited = "10000000";

/** The API key of a service that may have anybody's token. */
export const apiKey = randomBytes(24).toString("base64url");

/** The environment of whatever serves: the gateway and those that are made of its parts. */
export function serverEnvironment({ redis, emulator, issuer, encryptionKeys, folder }) {
  return {
    HOST: "127.0.0.1",
    PORT: "0",
    REDIS_URL: redis.url,
    TOKEN_ENCRYPTION_KEYS: encryptionKeys,
    ACS_CONNECTION_STRING: emulator.connectionString,
    NODE_EXTRA_CA_CERTS: emulator.ca,
    OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=${identityClaim}`,
    API_KEYS: `bench:${createHash("sha256").update(apiKey).digest("hex")} rights=token:issue:any`,
    AUDIT_LOG: `${folder}/audit.log`,
    EXPLORER: "false",
    ACS_RATE_LIMIT: "1000000",
    CALLER_REQUESTS_PER_MINUTE: unlimited,
    ADDRESS_REQUESTS_PER_MINUTE: unlimited,
    CALLER_ISSUANCES_PER_MINUTE: unlimited,
    ADDRESS_ISSUANCES_PER_MINUTE: unlimited,
  };
}

/** Starts one; resolves when it listens. */
export async function startGateway(environment, ...nodeOptions) {
  const child = startChild("server", process.execPath, [...nodeOptions, program, "start"], {
    env: environment,
  });
  await child.prints(/Ctrl-C ends it\./);
  const [, url] = await child.prints(/^ {2}Gateway +(\S+)/m);
  return { url, pid: child.pid, child, end: () => child.end() };
}
