/** `operations`: how it is called. */
import type { Command } from "commander";
import { doneOrNot, explain, noEnvironment } from "../help";
import type { OperationsOptions } from "../operations";

export function addOperations(program: Command): void {
  const command = program
    .command("operations <documents...>")
    .description("make an operation list from clients' documents: files, folders or patterns")
    .option("--out <file>", "write it there instead of to stdout")
    .action(async (documents: string[], options: OperationsOptions) =>
      (await import("../operations.ts")).operations(documents, options),
    );
  explain(command, {
    details:
      "The list is Apollo's persisted query manifest, for OPERATIONS_FILE. The same operations give the same list.",
    examples: [
      [
        "npx acs-token-gateway operations 'app/**/*.graphql' --out operations.json",
        "the list of an app's operations",
      ],
    ],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}
