/** The emulator as a program: options, start, announcement, end. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runAudits } from "./audit-report";
import { startEmulator, type Emulator, type EmulatorOptions } from "./emulator";

const help = `Serves the ACS Identity REST API for development and tests.

  --port N             port for http (default: EMULATOR_PORT, or 4010; 0: any free one)
  --host ADDRESS       address to listen on (default 127.0.0.1)
  --tls                serve https too, where Entra tokens are accepted
  --tls-port N         port for https (default 0: any free one)
  --state FILE         keep identities and revocations in FILE
  --limits on|off      throttle as Azure does (default on)
  --limit-scale X      multiply Azure's limits by X
  --revocation-delay S seconds that revoked tokens stay good (default 0; Azure takes up to 900)
  --latency MS         milliseconds that every operation takes (default 0)
  --seed N             seed of faults with a probability (default 1)
  --audit CONNECTION   run the numbered checks of the contract against any ACS resource and end
  --help               this text
`;

class UsageError extends Error {}

/** Runs the program with `argv`, the arguments after its name. Resolves when it has ended, with the exit code. */
export async function main(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  try {
    const values = parse(argv);
    if (values.help) return say(help);
    if (values.audit !== undefined) return await runAudits(values.audit, say);
    const ended = untilAskedToEnd();
    await using emulator = await startEmulator(optionsFrom(values, environment));
    say(announcement(emulator));
    await ended;
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
      latency: { type: "string" },
      seed: { type: "string" },
      audit: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  }).values;
}

function optionsFrom(values: ReturnType<typeof parse>, environment: NodeJS.ProcessEnv): EmulatorOptions {
  if (values.limits !== undefined && values.limits !== "on" && values.limits !== "off") {
    throw new UsageError("--limits is on or off.");
  }
  return {
    port: number("--port", values.port ?? environment.EMULATOR_PORT, 65535) ?? 4010,
    tlsPort: number("--tls-port", values["tls-port"], 65535) ?? 0,
    tls: values.tls ?? false,
    limits: values.limits !== "off",
    limitScale: number("--limit-scale", values["limit-scale"], 1e6) ?? 1,
    revocationDelayMs: (number("--revocation-delay", values["revocation-delay"], 900) ?? 0) * 1000,
    latencyMs: number("--latency", values.latency, 600_000) ?? 0,
    seed: number("--seed", values.seed, 2 ** 31) ?? 1,
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(values.state === undefined ? {} : { stateFile: values.state }),
  };
}

function number(option: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0 || value > max)
    throw new UsageError(`${option} is a number from 0 to ${max}.`);
  return value;
}

function announcement(emulator: Emulator): string {
  const lines = ["", `  ACS Identity emulator  ${emulator.url}`, `  ${emulator.connectionString}`];
  if (emulator.https) {
    const file = join(mkdtempSync(join(tmpdir(), "acs-identity-emulator-")), "ca.pem");
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
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === "EADDRINUSE") return `Port ${port ?? ""} is in use. Take another one with --port.`;
  if (code === "EADDRNOTAVAIL") return `This machine has no address ${address ?? ""}.`;
  if (code === "EACCES") return `This user may not listen on port ${port ?? ""}.`;
  if (error instanceof UsageError || code?.startsWith("ERR_PARSE_ARGS"))
    return `${error.message} --help tells more.`;
  if (error instanceof SyntaxError) return "The state file is not one of this emulator.";
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
