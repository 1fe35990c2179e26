/** All commands in one: what it is called, how it refuses, and what its help looks like. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { packageRoot } from "../src/package-root";
import { addCheck } from "./commands/check";
import { addDoctor } from "./commands/doctor";
import { addEmulator } from "./commands/emulator";
import { addKeys } from "./commands/keys";
import { addOperations } from "./commands/operations";
import { addQuickstart } from "./commands/quickstart";
import { addResourceId } from "./commands/resource-id";
import { addSchema } from "./commands/schema";
import { addStart } from "./commands/start";
import { configuration, doneOrNot, explain, explanationText, type Explanation } from "./help";

const name = "acs-token-gateway";

/** Commander's errors; a command that had another name once is told its name of now. */
function inWords(text: string): string {
  if (!text.startsWith("unknown command 'new-key'")) return text;
  return "new-key is now: keys new-api-key <name> --rights <rights>, and keys new-encryption-key.";
}

/** All commands. `start` is what runs without one; what is no command is told with the nearest name. */
export function createCommandLine(first?: string): Command {
  const { version, description } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    version: string;
    description: string;
  };
  const program = new Command(name)
    .description(description)
    .version(version, "-V, --version", "the version")
    .helpCommand("help [command]", "the help of a command")
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      outputError: (text, write) => {
        write(
          `${name}: ${inWords(
            text
              .replace(/^error: /, "")
              .trimEnd()
              .replaceAll("\n", " "),
          )}\n`,
        );
      },
    });
  explain(program, {
    details: "Without a command it is start. `help <command>` and `<command> --help` tell more.",
    examples: [
      ["npx acs-token-gateway", "a gateway to develop with, and its own emulator of ACS Identity"],
      ["npx acs-token-gateway doctor", "what is wrong with an installation, and what to do"],
      ["npx acs-token-gateway help keys", "the help of a command"],
    ],
    environment: configuration,
    exitCodes: doneOrNot,
  });
  addStart(program, first);
  addQuickstart(program);
  addEmulator(program);
  addCheck(program);
  addResourceId(program);
  addDoctor(program);
  addKeys(program);
  addSchema(program);
  addOperations(program);
  return program;
}

/** All commands that do something, with their full names, in the order of the help. */
export function everyCommand(
  program: Command,
): readonly { readonly path: string; readonly command: Command }[] {
  const under = (command: Command, path: string): { path: string; command: Command }[] =>
    command.commands.flatMap((each) => {
      const full = `${path}${each.name()}`;
      return [{ path: full, command: each }, ...under(each, `${full} `)];
    });
  return under(program, "");
}

/** What `--help` prints of a command. */
export function helpText(command: Command, explanation: Explanation | undefined): string {
  const text = command.helpInformation().trimEnd();
  return explanation ? `${text}\n\n${explanationText(explanation)}\n` : `${text}\n`;
}
