/** `doctor`: how it is called. */
import { InvalidArgumentError, Option, type Command } from "commander";
import type { DoctorOptions } from "../doctor";
import { configuration, explain } from "../help";

/** The longest that a check may take unless told otherwise. */
const defaultTimeoutSeconds = 10;

export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("check the whole installation and say what to mend")
    .addOption(
      new Option("--timeout <seconds>", "the longest that a check may take, in seconds, 1 to 120")
        .default(defaultTimeoutSeconds * 1000, String(defaultTimeoutSeconds))
        .argParser(timeoutMs),
    )
    .option("--json", "print JSON for machines")
    .action(async (options: DoctorOptions) => (await import("../doctor.ts")).doctor(options));
  explain(command, {
    details:
      "Looks at the configuration, secret files, certificate, Redis, the directory of identities, Azure's answer to the credential, issuers, the port and this machine's limits. Changes nothing that stays, and prints no secret.",
    examples: [
      ["npx acs-token-gateway doctor", "each finding with what was seen and what to do"],
      [
        "npx acs-token-gateway doctor --json | jq '.findings[] | select(.status != \"ok\")'",
        "what is not ok",
      ],
    ],
    environment: `${configuration}; HTTPS_PROXY and NO_PROXY, as the gateway itself`,
    exitCodes: { 0: "nothing is a problem; there may be warnings", 1: "there are problems" },
  });
}

/** Reads the option's seconds as milliseconds. */
function timeoutMs(text: string): number {
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > 120)
    throw new InvalidArgumentError("It must be a whole number from 1 to 120.");
  return seconds * 1000;
}
