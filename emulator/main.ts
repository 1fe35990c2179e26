/** The emulator as a program: options, start, announcement, end. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ConnectionStringError } from "./audit-client";
import { runAudits } from "./audit-report";
import { help } from "./help";
import { StateFileError } from "./state-file";
import { startEmulator, type Emulator, type EmulatorOptions } from "./emulator";

const year = 366 * 24 * 3600;

class UsageError extends Error {}

/** Runs the program with `argv`, the arguments after its name. Resolves when it has ended, with the exit code. */
export async function main(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  try {
    const values = parse(argv);
    if (values.help) return say(help);
    if (values.audit !== undefined) return await runAudits(values.audit, say);
    const ended = untilAskedToEnd();
    await using emulator = await startEmulator(optionsFrom(values, environment));
    const folder = emulator.https && mkdtempSync(join(tmpdir(), "acs-identity-emulator-"));
    try {
      say(announcement(emulator, folder));
      await ended;
    } finally {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    }
    return 0;
  } catch (error) {
    const message = readable(error);
    if (message === undefined) throw error;
    process.stderr.write(`acs-identity-emulator: ${message}\n`);
    return 1;
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    options: {
      port: { type: "string" },
      host: { type: "string" },
      tls: { type: "boolean" },
      "tls-port": { type: "string" },
      state: { type: "string" },
      limits: { type: "string" },
      "limit-scale": { type: "string" },
      "revocation-delay": { type: "string" },
      "retry-after": { type: "string" },
      latency: { type: "string" },
      "clock-offset": { type: "string" },
      seed: { type: "string" },
      audit: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  }).values;
}

function optionsFrom(values: ReturnType<typeof parse>, environment: NodeJS.ProcessEnv): EmulatorOptions {
  return {
    port: port("--port", values.port) ?? port("EMULATOR_PORT", environment.EMULATOR_PORT) ?? 4010,
    tlsPort: port("--tls-port", values["tls-port"]) ?? 0,
    tls: values.tls ?? false,
    limits: onOrOff("--limits", values.limits),
    retryAfter: onOrOff("--retry-after", values["retry-after"]),
    limitScale: number("--limit-scale", values["limit-scale"], 1e6) ?? 1,
    revocationDelayMs: (number("--revocation-delay", values["revocation-delay"], 900) ?? 0) * 1000,
    latencyMs:
      values.latency === "recorded"
        ? "recorded"
        : (number("--latency", values.latency, 600_000, 'or "recorded"') ?? 0),
    clockOffsetMs: (number("--clock-offset", values["clock-offset"], 10 * year, "", -10 * year) ?? 0) * 1000,
    seed: number("--seed", values.seed, 2 ** 31) ?? 1,
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(values.state === undefined ? {} : { stateFile: values.state }),
  };
}

function onOrOff(option: string, text = "on"): boolean {
  if (text !== "on" && text !== "off") throw new UsageError(`${option} is on or off.`);
  return text === "on";
}

function port(option: string, text: string | undefined): number | undefined {
  const value = number(option, text, 65535);
  if (value !== undefined && !Number.isInteger(value)) throw new UsageError(`${option} is a whole number.`);
  return value;
}

function number(option: string, text: string | undefined, max: number, or = "", min = 0): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < min || value > max)
    throw new UsageError(`${option} is a number from ${min} to ${max}${or && ` ${or}`}.`);
  return value;
}

function announcement(emulator: Emulator, folder: string | undefined): string {
  const lines = ["", `  ACS Identity emulator  ${emulator.url}`, `  ${emulator.connectionString}`];
  if (emulator.https && folder !== undefined) {
    const file = join(folder, "ca.pem");
    writeFileSync(file, emulator.https.ca);
    lines.push("", `  over TLS               ${emulator.https.url}`, `  ${emulator.https.connectionString}`);
    lines.push(`  certificate authority  ${file}   (NODE_EXTRA_CA_CERTS=${file})`);
  }
  return [...lines, "", "  Ctrl-C ends it.", ""].join("\n");
}

function untilAskedToEnd(): Promise<unknown> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
}

/** What the user can mend, in a line; undefined for anything else. */
function readable(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, port, address, hostname } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
    hostname?: string;
  };
  if (code === "EADDRINUSE") return `Port ${port ?? ""} is in use. Choose another with --port or --tls-port.`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `This machine has no address ${address ?? hostname ?? ""}.`;
  if (code === "EACCES") return `This user may not listen on port ${port ?? ""}.`;
  if (error instanceof UsageError || code?.startsWith("ERR_PARSE_ARGS"))
    return `${error.message.replaceAll("\n", " ").replace(/\.?$/, ".")} --help tells more.`;
  if (error instanceof StateFileError || error instanceof ConnectionStringError) return error.message;
  return undefined;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

if (require.main === module) {
  void main(process.argv.slice(2), process.env).then((code) => {
    process.exitCode = code;
  });
}
