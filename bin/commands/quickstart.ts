/** `quickstart`: how it is called. */
import type { Command } from "commander";
import { explain } from "../help";
import type { QuickstartOptions } from "../quickstart";

export function addQuickstart(program: Command): void {
  const command = program
    .command("quickstart")
    .description("run the ACS access token quickstart against a running gateway")
    .option("--url <url>", "the gateway's GraphQL endpoint", "http://127.0.0.1:4000/graphql")
    .option("--api-key <key>", "the API key; otherwise API_KEY or DEVELOPMENT_API_KEY of the environment")
    .option(
      "--emulator <url>",
      "ask this emulator whether revoked tokens are dead; found by itself on its default port",
    )
    .action(async (options: QuickstartOptions) => (await import("../quickstart.ts")).quickstart(options));
  explain(command, {
    details:
      "Creates two identities, issues, refreshes and revokes tokens, and deletes the identities again.",
    examples: [
      ["npx acs-token-gateway quickstart --api-key <key>", "against `npm start` on this machine"],
      [
        "API_KEY=<key> npx acs-token-gateway quickstart --url https://gateway.example.com/graphql",
        "against another gateway, with a key that nobody sees in the process list",
      ],
    ],
    environment:
      "API_KEY or DEVELOPMENT_API_KEY: the key; EMULATOR_PORT (default 4010): where the emulator is",
    exitCodes: { 0: "every step did what it should", 1: "a step did not, or no gateway answers" },
  });
}
