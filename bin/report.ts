/** What the operator can mend is one message; anything else is a bug and shows its stack. */
import { StartupError } from "../src/startup-error";
import { scrub } from "../src/services/telemetry/scrub";

/** Prints `error` to stderr and ends the process with exit code 1. */
export function reportAndExit(error: unknown): never {
  const text =
    error instanceof StartupError ? error.message : error instanceof Error ? error.stack : "unknown failure";
  process.stderr.write(`acs-token-gateway: ${scrub(text ?? "")}\n`);
  process.exit(1);
}
