/** `check`: reads the configuration as `start` would, and shows what is in effect, secrets as fingerprints. */
import { loadConfig, processEnvironment } from "../src/config";
import { describeConfig } from "../src/config/describe";
import { ownEmulatorPort, withOwnEmulator } from "./own-emulator";

/** Writes the configuration in effect to stdout. Throws `StartupError` when it has problems. */
export function checkConfiguration(): void {
  const given = processEnvironment();
  const port = ownEmulatorPort(given);
  const environment = port === undefined ? given : withOwnEmulator(given, port);
  process.stdout.write(`${JSON.stringify(describeConfig(loadConfig(environment)), null, 2)}\n`);
}
