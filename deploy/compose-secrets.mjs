/** Makes deploy/secrets/ for deploy/compose.yaml: passwords, keys and where Redis and PostgreSQL are. Replaces nothing. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [folder = fileURLToPath(new URL("secrets", import.meta.url))] = process.argv.slice(2);

const password = () => randomBytes(24).toString("base64url");
const redis = password();
const postgres = password();
const apiKey = randomBytes(32).toString("base64url");
const apiKeyHash = createHash("sha256").update(apiKey).digest("hex");

const files = {
  "redis-password": redis,
  "postgres-password": postgres,
  "grafana-password": password(),
  "token-encryption-keys": `k1:${randomBytes(32).toString("base64")}`,
  "api-key": apiKey,
  "api-keys": `backend:${apiKeyHash} rights=identity:create+identity:read:any+identity:delete:any+token:issue:any+token:revoke:any`,
  "stores.env": [
    `REDIS_URL=redis://gateway:${redis}@redis:6379`,
    `DATABASE_URL=postgres://gateway:${postgres}@postgres:5432/gateway`,
  ].join("\n"),
  "azure.env": [
    "# Which ACS resource issues the tokens, and who may call beside the backends in api-keys.",
    `ACS_CONNECTION_STRING=${process.env.ACS_CONNECTION_STRING ?? "endpoint=https://<resource>.communication.azure.com/;accesskey=<access key>"}`,
    "# OIDC_ISSUERS=https://login.microsoftonline.com/<tenant id>/v2.0 audience=<client id>",
    "# CORS_ORIGINS=https://app.example.com",
  ].join("\n"),
};

try {
  mkdirSync(folder, { mode: 0o700 });
} catch (error) {
  if (error.code !== "EEXIST") throw error;
  process.stderr.write(
    `${folder} is there already. Remove it to have new secrets; the databases keep their passwords.\n`,
  );
  process.exit(1);
}
for (const [name, text] of Object.entries(files)) {
  // Containers read them as users of their own; on this machine nobody else gets into the folder.
  writeFileSync(`${folder}/${name}`, `${text}\n`, { mode: 0o444 });
}
process.stdout.write(
  `${Object.keys(files).length} files in ${folder}. The API key of a backend is in api-key.\n`,
);
