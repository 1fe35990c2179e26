/** `check`: how it is called. */
import type { Command } from "commander";
import { configuration, explain } from "../help";

export function addCheck(program: Command): void {
  const command = program
    .command("check")
    .description("check the configuration and show what is in effect")
    .action(async () => {
      (await import("../check.ts")).checkConfiguration();
    });
  explain(command, {
    details:
      "Reads the environment as `start` would and asks nobody. Secrets are shown as fingerprints. `doctor` goes further.",
    examples: [["npx acs-token-gateway check", "the configuration in effect, as JSON on stdout"]],
    environment: configuration,
    exitCodes: { 0: "a gateway would take it", 1: "it would not: stderr lists everything that is wrong" },
  });
}
