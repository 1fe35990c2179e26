/** Where the project is, how its scripts speak, and the Node that they need. */
import { fileURLToPath } from "node:url";

/** The project's folder, absolute, without a slash at its end. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, "");

/** One line about what goes on. On stderr, so that the output of a command can be piped. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** What the user can mend: `message` says how, and no stack is needed. */
export class Problem extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a script's main function; ends the process with the problem's code when one is thrown. */
export async function main(script) {
  try {
    requireNode();
    await script(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.message) say(error.message);
    process.exit(error.exitCode);
  }
}

function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Problem(
    `This needs Node 20.19 or newer; here is ${process.versions.node}. See https://nodejs.org`,
  );
}
