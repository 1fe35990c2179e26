/** The built command line as a child process: its output, its addresses, its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** The built command line. */
export const program = join(__dirname, "..", "..", "dist", "bin", "acs-token-gateway.js");

/** The environment of a program that knows nothing of the tester's own settings; free ports. */
export const freshEnvironment = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  PORT: "0",
  EMULATOR_PORT: "0",
  ...extra,
});

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. Disposing of it kills it if it still does. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the match when stdout has it; rejects when the program ends before. */
  readonly prints: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Sends a signal and resolves when the program has ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<Ended>;
  readonly ended: Promise<Ended>;
}

export interface RunOptions {
  readonly command?: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs the built command line with Node, or `options.command` instead. */
export function run(args: readonly string[], options: RunOptions = {}): Running {
  const [file = process.execPath, ...before] = options.command ?? [process.execPath, program];
  const child = spawn(file, [...before, ...args], {
    cwd: options.cwd,
    env: freshEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const prints = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(stdout);
        if (!match) return;
        child.stdout.off("data", look);
        resolve(match);
      };
      child.stdout.on("data", look);
      look();
      void ended.then(({ code }) => {
        reject(new Error(`It ended with code ${code ?? "none"} before it printed ${String(pattern)}:\n${stderr}`));
      });
    });
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    prints,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A started gateway, and where it says that everything is. */
export interface Announced {
  readonly url: string;
  readonly origin: string;
  readonly apiKey: string;
  readonly emulator: string;
  readonly connectionString: string;
}

/** Waits until a gateway with its own emulator has said what runs where. */
export async function announced(running: Running): Promise<Announced> {
  await running.prints(/Ctrl-C ends it/);
  const find = (pattern: RegExp) => {
    const found = pattern.exec(running.stdout())?.[1];
    if (found === undefined) throw new Error(`The announcement lacks ${String(pattern)}:\n${running.stdout()}`);
    return found;
  };
  const url = find(/^ {2}Gateway +(\S+)/m);
  return {
    url,
    origin: new URL(url).origin,
    apiKey: find(/^ {2}API key +(\S+)/m),
    emulator: find(/issued by the emulator at (\S+)/),
    connectionString: find(/(endpoint=\S+)/),
  };
}
