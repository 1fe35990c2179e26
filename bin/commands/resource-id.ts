/** `resource-id`: how it is called. */
import type { Command } from "commander";
import { explain } from "../help";

export function addResourceId(program: Command): void {
  const command = program
    .command("resource-id")
    .description(
      "ask the ACS resources for their immutable ids; each makes an identity for it and deletes it",
    )
    .action(async () => (await import("../resource-id.ts")).tellResourceIds());
  explain(command, {
    details:
      "A gateway with several resources must be told which identities are whose: put what this prints after each of them.",
    examples: [
      [
        "ACS_CONNECTION_STRING='endpoint=…;accesskey=…, endpoint=…;accesskey=…' npx acs-token-gateway resource-id",
        "a line for each resource: its host, and resource-id=<GUID>",
      ],
    ],
    environment: "ACS_CONNECTION_STRING, ACS_ENDPOINT: the resources; other variables as for start",
    exitCodes: {
      0: "every resource has told its id",
      1: "one could not be asked: stderr says which and why",
    },
  });
}
