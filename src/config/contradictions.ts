/** Values that are fine alone and wrong together. */
import { createHash } from "node:crypto";
import { isLoopback } from "./values";
import { isProduction, type Variables } from "./variables";

/** SHA-256 of the access keys that the bundled emulator publishes, which protect nothing. */
const emulatorKeyHashes = new Set([
  "86674e4f337d979347caaa19ff5a5edc24a6547c38b0591711d9e85fe3c3a2d3",
  "98d75988c2cb649dab2519cc5d010b4908589e635ff1fd4aebe6f929f69c65a9",
]);

/** What is wrong, in sentences that begin with the variables' names. */
export function contradictions(v: Variables): string[] {
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
  if (v.API_KEYS && v.API_KEYS_FILE) problems.push("API_KEYS and API_KEYS_FILE must not both be set.");
  if ((v.TLS_CERT_FILE === undefined) !== (v.TLS_KEY_FILE === undefined)) {
    problems.push("TLS_CERT_FILE and TLS_KEY_FILE must be set together.");
  }
  if (v.ONLY_LISTED_OPERATIONS && v.OPERATIONS_FILE === undefined) {
    problems.push(
      "OPERATIONS_FILE must be set with ONLY_LISTED_OPERATIONS: `acs-token-gateway operations` makes it.",
    );
  }
  if (v.METRICS_PORT !== undefined && v.METRICS_PORT !== 0 && v.METRICS_PORT === v.PORT) {
    problems.push("METRICS_PORT must be another port than PORT: what it serves asks for no credential.");
  }
  if (v.METRICS_HOST !== undefined && v.METRICS_PORT === undefined) {
    problems.push("METRICS_PORT must be set with METRICS_HOST.");
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
  if (!v.API_KEYS && !v.API_KEYS_FILE && !v.OIDC_ISSUERS) {
    problems.push(
      "API_KEYS, API_KEYS_FILE or OIDC_ISSUERS must be set in production: who may call? `acs-token-gateway new-key <name>` makes an API key.",
    );
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
