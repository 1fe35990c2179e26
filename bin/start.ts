/** `start`: the gateway, and in development the emulator when no ACS resource is configured. */
import { setFlagsFromString } from "node:v8";
import { untilAskedToEnd } from "../src/asked-to-end";
import { loadConfig, processEnvironment } from "../src/config";
import type { RunningGateway } from "../src/main";
import { StartupError } from "../src/startup-error";
import { ownEmulatorPort, withOwnEmulator } from "./own-emulator";

// Not in `start`: the compiler leaves the path of an import as it is in a function with `using`.
const theGateway = () => import("../src/main.ts");

/** Serves until SIGINT or SIGTERM, then finishes what is in flight. Throws `StartupError`. */
export async function start(): Promise<void> {
  // What is alive when many requests begin at once is taken by V8 for what will always live long: it would make such
  // objects of all requests to come where only a full collection finds them. Nothing of a request outlives it.
  setFlagsFromString("--no-allocation-site-pretenuring");
  // The reader of the terminal may have gone: the gateway serves on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const environment = processEnvironment();
  const port = ownEmulatorPort(environment);
  // A wrong variable is told before anything is loaded or started.
  loadConfig(port === undefined ? environment : withOwnEmulator(environment, port));
  const asked = untilAskedToEnd();
  const { startGateway } = await theGateway();
  await using emulator = port === undefined ? null : await bringEmulator(port);
  await using gateway = await startGateway(
    emulator ? { ...environment, ACS_CONNECTION_STRING: emulator.connectionString } : environment,
  );
  process.stdout.write(`${announcement(gateway, emulator).join("\n")}\n`);
  await gateway.drain(await asked);
}

interface BroughtEmulator extends AsyncDisposable {
  readonly url: string;
  readonly connectionString: string;
}

async function bringEmulator(port: number): Promise<BroughtEmulator> {
  const { startEmulator } = await import("../emulator/emulator.ts");
  try {
    return await startEmulator({ port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new StartupError(
      `Port ${port} for the emulator is in use. Set EMULATOR_PORT to another one, or ACS_CONNECTION_STRING to use the emulator that runs there.`,
    );
  }
}

function announcement({ config, url, origin }: RunningGateway, emulator: BroughtEmulator | null): string[] {
  const row = (name: string, text: string) => `  ${name.padEnd(10)} ${text}`;
  const lines = ["", row("Gateway", url)];
  lines.push(row("Rules", `${config.production ? "production" : "development"}: ${config.rulesReason}`));
  const { developmentKey } = config.access;
  // In the fragment, which no browser sends: neither this server nor a proxy or a log sees it.
  const fragment = developmentKey === undefined ? "" : `#key=${encodeURIComponent(developmentKey)}`;
  if (config.explorer) lines.push(row("Explorer", `${origin}/explorer${fragment}`));
  lines.push(row("Status", `${origin}/status${fragment}`));
  if (developmentKey !== undefined) lines.push(row("API key", `${developmentKey}   (header x-api-key)`));
  if (config.explorer) lines.push(row("Sandbox", `${url}   (Apollo's script: paste a key yourself)`));
  const issuers = config.acs.resources.map(({ endpoint }) => endpoint).join(", ");
  lines.push(row("Tokens", emulator ? `issued by the emulator at ${emulator.url}` : `issued by ${issuers}`));
  if (emulator) lines.push(row("", emulator.connectionString));
  lines.push(
    row("Cache", config.redis ? "Redis" : "in this process; set REDIS_URL to share it between replicas"),
  );
  if (config.directory) {
    const { databaseUrl, path } = config.directory;
    lines.push(row("Directory", databaseUrl === undefined ? `embedded, in ${path}` : "PostgreSQL"));
  }
  for (const { issuer } of config.access.issuers) lines.push(row("Users of", issuer));
  if (config.redis && config.tokens.encryptionKeysMadeUp) {
    lines.push(
      row(
        "",
        "TOKEN_ENCRYPTION_KEYS is not set: what is cached ends with this process, and replicas share nothing",
      ),
    );
  }
  return [...lines, "", "  Ctrl-C ends it.", ""];
}
