/** Programs as children of a script: their exit codes, their output, and signals that reach them. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Problem, root } from "./project.mjs";

/**
 * Runs a program to its end, with this terminal unless `options.stdio` says otherwise.
 * Signals that ask this process to end are handed on, so that none outlives it.
 * @returns exit code (128 + the signal's number when a signal ended it) and what it wrote to captured pipes.
 */
export function run(program, args = [], options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: "inherit", ...options });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name]?.setEncoding("utf8").on("data", (text) => (output[name] += text));
    }
    const handOn = (signal) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, handOn);
    const over = (settle) => {
      for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, handOn);
      settle();
    };
    child.once("error", (error) => over(() => reject(error)));
    child.once("close", (code, signal) =>
      over(() => resolve({ ...output, code: code ?? 128 + constants.signals[signal] })),
    );
  });
}

/** The same, for a step without which the script cannot go on: throws a {@link Problem} when it fails. */
export async function mustRun(what, program, args, options) {
  const result = await run(program, args, options);
  if (result.code === 0) return result;
  const told = `${result.stdout}${result.stderr}`.trim();
  throw new Problem(`${told ? `${told}\n` : ""}${what} failed (exit code ${result.code}).`, result.code);
}

/** The values of steps that run at the same time; throws what the first to fail threw, when none runs any more. */
export async function together(steps) {
  const results = await Promise.allSettled(steps);
  const failure = results.find(({ status }) => status === "rejected");
  if (failure) throw failure.reason;
  return results.map(({ value }) => value);
}

/** The file that a package's command is, to be run with Node itself: no shell and no npx between. */
export function commandFile(name, path) {
  return `${root}/node_modules/${name}/${path}`;
}
