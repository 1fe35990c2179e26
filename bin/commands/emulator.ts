/** `emulator`: how it is called. */
import type { Command } from "commander";
import { help } from "../../emulator/help";
import { processEnvironment } from "../../src/config";
import { explain, type Explanation } from "../help";

export function addEmulator(program: Command): void {
  const command = program
    .command("emulator")
    .description("serve the ACS Identity emulator alone; --help tells its options")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options, { args }: Command) => {
      const { main } = await import("../../emulator/main.ts");
      process.exitCode = await main(args, processEnvironment());
    });
  // Its options are its own program's, which has no other help.
  command.configureHelp({ formatHelp: () => help });
  explain(command, explanation);
}

const explanation: Explanation = {
  examples: [
    ["npx acs-token-gateway emulator", "an emulator on port 4010, forgotten when it ends"],
    ["npx acs-token-gateway emulator --tls --state identities.json", "over TLS too, with a memory"],
  ],
  environment: "EMULATOR_PORT (default 4010)",
  exitCodes: {
    0: "it was asked to end, and has; or the audit passed",
    1: "it could not start; or the audit failed",
  },
};
