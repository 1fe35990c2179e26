/** `schema`: how it is called. */
import type { Command } from "commander";
import { doneOrNot, explain, noEnvironment } from "../help";
import type { PrintSchemaOptions } from "../print-schema";

export function addSchema(program: Command): void {
  const command = program
    .command("schema")
    .description("print the GraphQL schema")
    .option(
      "--no-access-directives",
      "leave out @authenticated and @requiresScopes, which some routers refuse",
    )
    .action(async (options: PrintSchemaOptions) => (await import("../print-schema.ts")).printSchema(options));
  explain(command, {
    details: "The SDL of the Federation 2 subgraph, on stdout. No configuration is needed.",
    examples: [["npx acs-token-gateway schema > acs.graphql", "the subgraph for a router's composition"]],
    environment: noEnvironment,
    exitCodes: doneOrNot,
  });
}
