/** What `--help` says of a command beside its options, in one order for all: examples, environment, exit codes. */
import type { Command } from "commander";

/** What a command's help says. */
export interface Explanation {
  /** What it does, in one or two sentences more than its description. */
  readonly details?: string;
  /** Command lines, each with what it is good for. */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  /** What it reads from the environment. */
  readonly environment: string;
  /** Each code with what it means. */
  readonly exitCodes: Readonly<Record<number, string>>;
}

/** The codes of commands that do one thing. */
export const doneOrNot: Explanation["exitCodes"] = {
  0: "done",
  1: "not done: stderr says in one message what to mend",
};

/** The environment of commands that read the gateway's. */
export const configuration = "the gateway's variables (docs/configuration.md)";
/** The environment of commands that read none. */
export const noEnvironment = "nothing";

const explanations = new WeakMap<Command, Explanation>();

/** Gives a command its explanation, which `--help` shows after the options. */
export function explain(command: Command, explanation: Explanation): Command {
  explanations.set(command, explanation);
  return command.addHelpText("after", () => `\n${explanationText(explanation)}`);
}

/** What was said of a command. */
export function explanationOf(command: Command): Explanation | undefined {
  return explanations.get(command);
}

/** The explanation as `--help` shows it. */
export function explanationText({ details, examples, environment, exitCodes }: Explanation): string {
  const width = 100;
  const sections = [
    ...(details === undefined ? [] : [wrapped(details, width, "")]),
    ["Examples:", ...examples.flatMap(([line, purpose]) => [`  $ ${line}`, `      ${purpose}`])].join("\n"),
    `Environment:\n${wrapped(environment, width, "  ")}`,
    ["Exit codes:", ...Object.entries(exitCodes).map(([code, meaning]) => `  ${code}  ${meaning}`)].join(
      "\n",
    ),
  ];
  return sections.join("\n\n");
}

function wrapped(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent.length + line.length + word.length + 1 > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line].join("\n");
}
