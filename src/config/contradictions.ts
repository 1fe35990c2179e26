/** Values that are fine alone and wrong together. */
import { createHash } from "node:crypto";
import type { NamedResource } from "./acs-resources";
import { isProduction } from "./environment";
import type { Variables } from "./variables";

/** SHA-256 of the access keys that the bundled emulator publishes, which protect nothing. */
const emulatorKeyHashes = new Set([
  "86674e4f337d979347caaa19ff5a5edc24a6547c38b0591711d9e85fe3c3a2d3",
  "98d75988c2cb649dab2519cc5d010b4908589e635ff1fd4aebe6f929f69c65a9",
]);

/** What is wrong, in sentences that begin with the variables' names. */
export function contradictions(v: Variables): string[] {
  const problems: string[] = [];
  if (!v.ACS_CONNECTION_STRING && !v.ACS_ENDPOINT) {
    problems.push("ACS_CONNECTION_STRING or ACS_ENDPOINT must be set: which ACS resource issues the tokens?");
  } else {
    problems.push(...resourceProblems(v));
  }
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

function resourceProblems(v: Variables): string[] {
  const byKey = v.ACS_CONNECTION_STRING ?? [];
  const byEntra = v.ACS_ENDPOINT ?? [];
  const all = [...byKey, ...byEntra];
  const givers = [byKey.length > 0 ? "ACS_CONNECTION_STRING" : "", byEntra.length > 0 ? "ACS_ENDPOINT" : ""]
    .filter((name) => name !== "")
    .join(" and ");
  const twice = repeated(all.map(({ endpoint }) => endpoint));
  if (twice !== undefined) return [`${givers} must not name ${twice} twice: use one key, or Entra.`];
  const problems: string[] = [];
  const sameId = repeated(all.flatMap(({ resourceId }) => resourceId ?? []));
  if (sameId !== undefined) problems.push(`${givers} must not give two resources the resource-id ${sameId}.`);
  if (all.every(({ weight }) => weight === 0)) {
    problems.push(`${givers} must give some resource a weight above 0: nobody could get a new identity.`);
  }
  return [...problems, ...(all.length > 1 ? withoutId(v, byKey, byEntra) : oneId(v, all))];
}

/** With several resources it is the id alone that tells whose an identity is, at every gateway and from its start. */
function withoutId(
  v: Variables,
  byKey: readonly NamedResource[],
  byEntra: readonly NamedResource[],
): string[] {
  const problems: string[] = [];
  if (v.ACS_RESOURCE_ID !== undefined) {
    problems.push("ACS_RESOURCE_ID must not be set with several resources: give each its resource-id=….");
  }
  for (const [name, resources] of [
    ["ACS_CONNECTION_STRING", byKey],
    ["ACS_ENDPOINT", byEntra],
  ] as const) {
    const missing = resources.filter(({ resourceId }) => resourceId === undefined);
    if (missing.length === 0) continue;
    problems.push(
      `${name} must give a resource-id=… to each of several resources, and has none for ${missing.map(({ endpoint }) => new URL(endpoint).host).join(", ")}: \`acs-token-gateway resource-id\` tells them, and so does \`az communication show --query immutableResourceId\`.`,
    );
  }
  return problems;
}

function oneId({ ACS_RESOURCE_ID: id }: Variables, [only]: readonly NamedResource[]): string[] {
  if (id === undefined || only?.resourceId === undefined || only.resourceId === id.toLowerCase()) return [];
  return ["ACS_RESOURCE_ID must be what resource-id= says, if both are given."];
}

function repeated(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) < index);
}

/** Base64 has several texts for the same bytes. */
function canonical(base64: string): string {
  return Buffer.from(base64, "base64").toString("base64");
}

function productionProblems(v: Variables): string[] {
  const problems: string[] = [];
  const byKey = v.ACS_CONNECTION_STRING ?? [];
  const hashes = byKey.map(({ accessKey = "" }) =>
    createHash("sha256").update(canonical(accessKey)).digest("hex"),
  );
  if (hashes.some((hash) => emulatorKeyHashes.has(hash))) {
    problems.push("ACS_CONNECTION_STRING has the emulator's published access key, which production refuses.");
  } else if (byKey.some(({ endpoint }) => endpoint.startsWith("http:"))) {
    problems.push("ACS_CONNECTION_STRING must have an https endpoint in production.");
  }
  if (!v.API_KEYS && !v.API_KEYS_FILE && !v.OIDC_ISSUERS) {
    problems.push(
      "API_KEYS, API_KEYS_FILE or OIDC_ISSUERS must be set in production: who may call? `acs-token-gateway keys new-api-key <name>` makes an API key.",
    );
  }
  if (v.DEVELOPMENT_API_KEY !== undefined) {
    problems.push("DEVELOPMENT_API_KEY must not be set in production: use API_KEYS.");
  }
  if (v.REDIS_URL !== undefined && !v.TOKEN_ENCRYPTION_KEYS && !v.TOKEN_ENCRYPTION_KEYS_FILE) {
    problems.push(
      "TOKEN_ENCRYPTION_KEYS or TOKEN_ENCRYPTION_KEYS_FILE must be set in production with REDIS_URL: `acs-token-gateway keys new-encryption-key` makes one.",
    );
  }
  if (needsDirectory(v) && v.DATABASE_URL === undefined && v.REPLICAS !== 1) {
    problems.push(
      "DATABASE_URL must be set in production for users' identities, unless each of OIDC_ISSUERS has an identity-claim, or REPLICAS=1 says that this gateway is the only one.",
    );
  }
  return problems;
}

/** Whether some identities are in a directory: users' whose issuer does not name them, or those that a folder is given for. */
export function needsDirectory({ OIDC_ISSUERS, DATABASE_URL, DIRECTORY_PATH }: Variables): boolean {
  return (
    DATABASE_URL !== undefined ||
    DIRECTORY_PATH !== undefined ||
    (OIDC_ISSUERS?.some(({ identityClaim }) => identityClaim === undefined) ?? false)
  );
}
