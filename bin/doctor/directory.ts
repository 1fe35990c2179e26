/** The directory of identities: PostgreSQL or the embedded database's folder. */
import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Config } from "../../src/config";
import { systemClock } from "../../src/services/clock";
import { isLocked } from "../../src/services/identities/directory/folder-lock";
import { probePostgres, type PostgresSight } from "../../src/services/identities/directory/postgres-probe";
import { reasonOf } from "../../src/services/redis/reason-of";
import { connectionTrouble, Findings, judgeClock, type Check } from "./finding";

/** Where users' identities are kept; no check when there is no directory. */
export function directoryChecks({ directory }: Config, production: boolean, timeoutMs: number): Check[] {
  if (!directory) return [];
  const { databaseUrl, path } = directory;
  if (databaseUrl === undefined) return [{ part: "directory", run: () => folder(path) }];
  const run = async () => {
    const findings = new Findings("directory");
    const { hostname, port } = new URL(databaseUrl);
    const where = `PostgreSQL at ${hostname === "" ? "the socket" : `${hostname}:${port === "" ? "5432" : port}`}`;
    try {
      judge(
        findings,
        await probePostgres(databaseUrl, timeoutMs * 0.4, systemClock),
        where,
        isHere(hostname),
        production,
      );
    } catch (error) {
      findings.problem("reachable", ...trouble(error, where));
    }
    return findings.all;
  };
  return [{ part: "directory", run }];
}

function trouble(error: unknown, where: string): readonly [string, string] {
  const code = reasonOf(error);
  const text = error instanceof Error ? error.message : "";
  if (/timeout/i.test(text)) return connectionTrouble("TIMEOUT", where);
  if (text.includes("does not support SSL")) {
    return [
      `${where} speaks no TLS, which sslmode asks for.`,
      "Turn TLS on at the server, or correct sslmode in DATABASE_URL.",
    ];
  }
  switch (code) {
    case "28P01":
    case "28000":
      return [
        `${where} does not take the user and password, or not from here (${code}).`,
        "Correct them in DATABASE_URL, or pg_hba.conf.",
      ];
    case "3D000":
      return [`${where} has no database of that name (${code}).`, "Make it, or correct DATABASE_URL."];
    case "53300":
      return [
        `${where} has no connection left (${code}).`,
        "Raise max_connections, or put a pooler before it.",
      ];
    case "42501":
      return [`${where} lets the user look at nothing (${code}).`, "Grant it the rights of docs/access.md."];
    default:
      return /password/i.test(text) && code === "UNKNOWN"
        ? [`${where} asks for a password, and DATABASE_URL has none.`, "Give it one."]
        : connectionTrouble(code, where);
  }
}

function judge(
  findings: Findings,
  seen: PostgresSight,
  where: string,
  here: boolean,
  production: boolean,
): void {
  findings.ok("reachable", `${where} answers, and takes the credentials.`);
  const version = `${Math.floor(seen.version / 10_000)}.${seen.version % 10_000}`;
  if (seen.version < 120_000) {
    findings.problem("version", `${where} is ${version}.`, "The gateway needs PostgreSQL 12 or newer.");
  } else findings.ok("version", `${where} is ${version}.`);
  if (seen.tls) findings.ok("tls", "The connection to PostgreSQL has TLS.");
  else if (production && !here) {
    findings.warning(
      "tls",
      "Passwords and identities pass to PostgreSQL without TLS.",
      "Set sslmode=verify-full in DATABASE_URL.",
    );
  }
  if (seen.readOnly) {
    findings.problem(
      "rights",
      `${where} takes no writes: it is a standby, or read-only.`,
      "Name the primary in DATABASE_URL.",
    );
  }
  if (seen.missingRights.length > 0) {
    findings.problem(
      "rights",
      `The user may not ${seen.missingRights.join(", ")}.`,
      "Grant it, or make the user the tables' owner.",
    );
  }
  const missing = seen.tables < seen.latest;
  if (seen.tables > seen.latest) {
    findings.problem(
      "tables",
      `The tables are of version ${seen.tables}; this program knows ${seen.latest}.`,
      "Run a newer gateway.",
    );
  } else if (missing && !seen.mayCreate) {
    findings.problem(
      "tables",
      `The tables are of version ${seen.tables} of ${seen.latest}, and the user may not make new ones.`,
      "Grant CREATE on the schema, or start one gateway as the owner first.",
    );
  } else if (missing) findings.ok("tables", "The first gateway that starts will make the tables.");
  else findings.ok("tables", `The tables are up to date (version ${seen.tables}).`);
  const took = `A round trip to PostgreSQL takes ${seen.roundTripMs.toFixed(1)} ms.`;
  if (seen.roundTripMs > 50)
    findings.warning("latency", took, "Move it nearer: a user's first request costs some.");
  else findings.ok("latency", took);
  judgeClock(findings, {
    whose: "PostgreSQL's",
    skewMs: seen.skewMs,
    warnMs: 60_000,
    why: "it says when guests' identities are deleted",
  });
}

async function folder(path: string) {
  const findings = new Findings("directory");
  try {
    await access(await nearestExisting(path), constants.W_OK | constants.X_OK);
    findings.ok("folder", `${path} can be written to.`);
  } catch (error) {
    findings.problem(
      "folder",
      `${path} cannot be written to (${reasonOf(error)}).`,
      "Give this user the folder, or set DIRECTORY_PATH.",
    );
  }
  if (await isLocked(path)) {
    findings.warning(
      "lock",
      "A gateway uses the folder now.",
      "Nothing, if it is the one that you mean; a second one needs a DIRECTORY_PATH of its own.",
    );
  } else findings.ok("lock", "No gateway uses the folder now.");
  return findings.all;
}

/** The folder, or the one that it would be made in. */
async function nearestExisting(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found || dirname(path) === path ? path : nearestExisting(dirname(path));
}

function isHere(host: string): boolean {
  return host === "" || host === "localhost" || host === "[::1]" || host.startsWith("127.");
}
