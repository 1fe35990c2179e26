/** `start`: how it is called. */
import type { Command } from "commander";
import { configuration, explain } from "../help";

export function addStart(program: Command, first: string | undefined): void {
  const command = program
    // What begins with a word names a command: one that does not exist must not become an argument of `start`.
    .command("start", { isDefault: first === undefined || first.startsWith("-") })
    .description(
      "serve the gateway; outside production, with the emulator when no ACS resource is configured",
    )
    .action(async () => (await import("../start.ts")).start());
  explain(command, {
    details:
      "Says on stdout where it serves, writes its log to stderr, and serves until SIGINT or SIGTERM; then it finishes what is in flight. SIGHUP has it read its key files and its certificate at once.",
    examples: [
      ["npx acs-token-gateway start", "a gateway to develop with"],
      [
        "ACS_CONNECTION_STRING='endpoint=https://<resource>.communication.azure.com/;accesskey=…' npx acs-token-gateway start",
        "the same with a real resource",
      ],
    ],
    environment: `${configuration}; EMULATOR_PORT (default 4010): port of the emulator that it brings along`,
    exitCodes: {
      0: "it was asked to end, and has",
      1: "it could not start: stderr says in one message what to mend",
    },
  });
}
