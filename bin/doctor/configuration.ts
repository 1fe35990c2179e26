/** The configuration: what `start` would refuse, and what it takes though it is weak. */
import { stat } from "node:fs/promises";
import type { Config, Environment } from "../../src/config";
import type { ApiKey } from "../../src/services/access/api-key";
import { allRights } from "../../src/services/access/rights";
import { systemClock } from "../../src/services/clock";
import { duration, Findings, type Check } from "./finding";
import type { Readable } from "./lenient-config";

const soonMs = 14 * 24 * 3_600_000;

/** The variables, taken by themselves and together. */
export function configurationCheck(readable: Readable, environment: Environment): Check {
  return {
    part: "configuration",
    run: async () => {
      const findings = new Findings("configuration");
      const { problems, config, production } = readable;
      for (const problem of problems) {
        findings.problem("variables", problem, "Correct it: docs/configuration.md has every variable.");
      }
      if (problems.length === 0)
        findings.ok("variables", "Every variable has a value that the gateway takes.");
      if (config) {
        judgeMode(findings, config, readable);
        if (production) judgeProduction(findings, config);
        judgeApiKeys(findings, config, production);
        await judgeFiles(findings, config, environment);
      }
      return findings.all;
    },
  };
}

function judgeMode(findings: Findings, config: Config, { production, rulesReason }: Readable): void {
  if (production) findings.ok("mode", `The production rules are on: ${rulesReason}.`);
  else {
    findings.warning(
      "mode",
      `The production rules are off (${rulesReason}): there is a development key that may do everything.`,
      "Set NODE_ENV=production where anybody but you can reach the gateway.",
    );
  }
  if (config.redis && config.tokens.encryptionKeysMadeUp) {
    findings.warning(
      "encryption",
      "TOKEN_ENCRYPTION_KEYS is not set, so what one gateway stores in Redis no other can open.",
      "Set it: acs-token-gateway keys new-encryption-key makes one.",
    );
  }
}

function judgeProduction(findings: Findings, config: Config): void {
  const { http, audit, explorer, redis, directory, access } = config;
  if (http.corsOrigins === "*") {
    findings.warning("cors", "CORS_ORIGINS is *: pages of any origin may call.", "List your app's origins.");
  }
  if (explorer) {
    findings.warning(
      "explorer",
      "EXPLORER is true: everybody can read the schema and use the explorer.",
      "Set EXPLORER=false, or leave it out.",
    );
  }
  if (audit === "off") {
    findings.warning(
      "audit",
      "AUDIT_LOG is off: nobody will know who was issued what.",
      "Set AUDIT_LOG=stdout.",
    );
  }
  if (!http.tls && http.trustedProxies.length === 0) {
    findings.warning(
      "transport",
      "The gateway serves plain HTTP and trusts no proxy: tokens pass in clear, or all clients share their proxy's limits.",
      "Set TLS_CERT_FILE and TLS_KEY_FILE, or TRUSTED_PROXIES to the proxy that ends TLS.",
    );
  }
  if (!redis) {
    findings.warning(
      "cache",
      "REDIS_URL is not set: each gateway has a cache of its own, and a revocation is unknown to the others.",
      "Set REDIS_URL, unless there is one gateway only.",
    );
  }
  if (directory && directory.databaseUrl === undefined) {
    findings.warning(
      "directory",
      "The directory of identities is embedded: one gateway alone can use it.",
      "Set DATABASE_URL, unless there is one gateway only, with a volume that is backed up.",
    );
  }
  for (const { issuer, audiences } of access.issuers.filter(({ rights }) => rights.length > 0)) {
    findings.ok("issuers", `Tokens of ${issuer} for ${audiences.join(", ")} can carry rights.`);
  }
}

function judgeApiKeys(findings: Findings, { access }: Config, production: boolean): void {
  const now = systemClock.now();
  const keys = access.apiKeys;
  const isOver = ({ expiresAt }: ApiKey) => expiresAt !== undefined && expiresAt <= now;
  for (const key of keys) {
    const { name, expiresAt, rights } = key;
    if (expiresAt !== undefined && isOver(key)) {
      const replaced = keys.some((other) => other.name === name && !isOver(other));
      const seen = `The API key ${name} expired ${duration(now - expiresAt)} ago.`;
      if (replaced)
        findings.warning("api-keys", `${seen} Another of that name is good.`, "Remove the entry.");
      else
        findings.problem(
          "api-keys",
          seen,
          `Make another: acs-token-gateway keys new-api-key ${name} --rights …`,
        );
    } else if (expiresAt !== undefined && expiresAt - now < soonMs) {
      const later = keys.some((other) => other.name === name && (other.expiresAt ?? Infinity) > expiresAt);
      const seen = `The API key ${name} expires in ${duration(expiresAt - now)}`;
      if (later) findings.ok("api-keys", `${seen}, and another of that name lasts longer.`);
      else
        findings.warning(
          "api-keys",
          `${seen}.`,
          `Rotate it: acs-token-gateway keys rotate-api-key ${name} --file …`,
        );
    } else if (production && rights.length === allRights.length) {
      findings.warning(
        "api-keys",
        `The API key ${name} may do everything.`,
        "Give it the rights that it needs.",
      );
    } else if (production && expiresAt === undefined) {
      findings.warning("api-keys", `The API key ${name} never expires.`, "Give its entry an expires=.");
    } else findings.ok("api-keys", `The API key ${name} is good.`);
  }
}

/** Whoever else on this machine can read these has what they hold. */
async function judgeFiles(findings: Findings, config: Config, environment: Environment): Promise<void> {
  const files: [string, string | undefined, "secret" | "writable"][] = [
    ["TOKEN_ENCRYPTION_KEYS_FILE", config.tokens.encryptionKeysFile, "secret"],
    ["TLS_KEY_FILE", config.http.tls?.keyFile, "secret"],
    // Hashes alone: reading them lets nobody in, changing them does.
    ["API_KEYS_FILE", config.access.apiKeysFile, "writable"],
  ];
  for (const [variable, path, kind] of files) {
    if (path === undefined || !environment[variable]) continue;
    const found = await stat(path).catch(() => undefined);
    if (!found) continue;
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    const others = kind === "secret" ? 0o007 : 0o002;
    const group = kind === "secret" ? 0o020 : 0o020;
    if ((found.mode & others) !== 0) {
      findings.problem(
        "files",
        `${variable} names a file that every user of this machine can ${kind === "secret" ? "read or change" : "change"} (mode ${mode}).`,
        `chmod ${kind === "secret" ? "600" : "644"} ${path}`,
      );
    } else if ((found.mode & group) !== 0) {
      findings.warning(
        "files",
        `${variable} names a file that a group can change (mode ${mode}).`,
        `chmod g-w ${path}`,
      );
    } else
      findings.ok("files", `${variable} names a file that is only for its owner to change (mode ${mode}).`);
  }
}
