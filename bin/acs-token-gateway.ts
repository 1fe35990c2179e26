#!/usr/bin/env node
/** The command line: each command is one short function over parts that src and emulator export. */
// First of all: the decorators of the schema's classes write their types through it while they are loaded.
import "reflect-metadata";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { main as emulator } from "../emulator/main";
import { packageRoot } from "../src/package-root";
import { checkConfiguration } from "./check";
import { newKey } from "./new-key";
import { operations } from "./operations";
import { printSchema } from "./print-schema";
import { quickstart } from "./quickstart";
import { reportAndExit } from "./report";
import { tellResourceIds } from "./resource-id";
import { start } from "./start";
import { StartupError } from "../src/main";

const { version, description } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
  version: string;
  description: string;
};

const program = new Command("acs-token-gateway").description(description).version(version);

program
  .command("start", { isDefault: true })
  .description("serve the gateway; outside production, with the emulator when no ACS resource is configured")
  .action(start);

program
  .command("quickstart")
  .description("run the ACS access token quickstart against a running gateway")
  .option("--url <url>", "the gateway's GraphQL endpoint", "http://127.0.0.1:4000/graphql")
  .option("--api-key <key>", "the API key; otherwise API_KEY or DEVELOPMENT_API_KEY of the environment")
  .option(
    "--emulator <url>",
    "ask this emulator whether revoked tokens are dead; found by itself on its default port",
  )
  .action(quickstart);

program
  .command("emulator")
  .description("serve the ACS Identity emulator alone; --help tells its options")
  .helpOption(false)
  .allowUnknownOption()
  .allowExcessArguments()
  .action(async (_options, command: Command) => {
    process.exitCode = await emulator(command.args, process.env);
  });

program
  .command("check")
  .description("check the configuration and show what is in effect")
  .action(checkConfiguration);

program
  .command("resource-id")
  .description("ask the ACS resources for their immutable ids; each makes an identity for it and deletes it")
  .action(tellResourceIds);

program
  .command("schema")
  .description("print the GraphQL schema")
  .option("--no-access-directives", "leave out @authenticated and @requiresScopes, which some routers refuse")
  .action(printSchema);

program
  .command("operations <documents...>")
  .description("make an operation list from clients' documents: files, folders or patterns")
  .option("--out <file>", "write it there instead of to stdout")
  .action(operations);

program
  .command("new-key [name]")
  .description("make an API key and its entry for API_KEYS, and an entry for TOKEN_ENCRYPTION_KEYS")
  .option("--rights <rights>", "what it may do: rights joined by +, or all", "all")
  .option("--scopes <scopes>", "the scopes that its tokens may have, joined by +; all when left out")
  .option("--expires <time>", "when it ends, such as 2027-06-30; never when left out")
  .action(newKey);

const [first] = process.argv.slice(2);
if (first !== undefined && !first.startsWith("-") && !commandNames(program).includes(first)) {
  reportAndExit(
    new StartupError(`There is no command '${first}'. There are ${commandNames(program).join(", ")}.`),
  );
}
program.parseAsync().catch(reportAndExit);

function commandNames({ commands }: Command): string[] {
  return [...commands.map((command) => command.name()), "help"];
}
