/** docs/cli.md from the commands themselves. */
import type { Command } from "commander";
import { everyCommand, helpText } from "./command-line";
import { explanationOf } from "./help";

const head = `# The command line

\`npx acs-token-gateway [command]\`; without a command it is \`start\`. This page is what \`help <command>\` prints
(\`npm run codegen\` writes it, and a test holds it to that). What goes wrong is one message on stderr, and exit code 1.

`;

/** The page. */
export function renderCliPage(program: Command): string {
  const commands = everyCommand(program);
  const rows = table([
    ["command", "what it does"],
    ...commands.map(({ path, command }) => [
      `[\`${path}\`](#${path.replaceAll(" ", "-")})`,
      command.description(),
    ]),
  ]);
  const sections = commands.map(({ path, command }) => {
    const text = helpText(command, explanationOf(command)).trimEnd();
    return `## ${path}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
  });
  return `${head}${rows}\n\n${sections.join("\n")}`;
}

/** A table whose columns are as wide as they must be, as the formatter has it. */
function table([head = [], ...rows]: readonly string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
