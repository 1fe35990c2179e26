/** `check`: reads the configuration as `start` would, and shows what is in effect, secrets as fingerprints. */
import { describeConfig, loadConfig, processEnvironment } from "../src/config";
import { asStartupError } from "../src/main";

/** Writes the configuration in effect to stdout. Throws `StartupError` when it has problems. */
export function checkConfiguration(): void {
  try {
    process.stdout.write(`${JSON.stringify(describeConfig(loadConfig(processEnvironment())), null, 2)}\n`);
  } catch (error) {
    throw asStartupError(error);
  }
}
