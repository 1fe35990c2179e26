/** The built command line as a child process: its output, its addresses, its end. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { endWithParent } from "./end-with-parent";

/** The built command line. */
export const programFile = join(__dirname, "..", "..", "dist", "bin", "acs-token-gateway.js");

/** How a program ended: by itself with a code, or by a signal. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Arguments; none when left out, which is `start`. */
  readonly args?: readonly string[];
  /** What is added to an environment that has nothing of the tester's own, and free ports. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The executable file; Node with the built command line when left out. */
  readonly file?: string;
  readonly cwd?: string;
  /** Leads a process group, as what is started from a terminal does: signals reach all of it, as Ctrl-C does. */
  readonly group?: boolean;
  /** Runs as this user and group, which only root can ask for. */
  readonly user?: number;
}

/** The environment that tests give to programs: nothing of the tester's own settings, free ports. */
export function freshEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, PORT: "0", EMULATOR_PORT: "0", ...extra };
}

/** A program that runs. Disposing of it kills it if it still does. */
export class Program implements AsyncDisposable {
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #group: boolean;

  constructor({ args = [], environment, file, cwd, group = false, user }: ProgramOptions) {
    this.#group = group;
    const [command, before] = file === undefined ? [process.execPath, [programFile]] : [file, []];
    this.#child = spawn(command, [...before, ...args], {
      cwd,
      env: freshEnvironment(environment),
      stdio: ["ignore", "pipe", "pipe"],
      detached: group,
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    endWithParent(this.#child, { group });
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#stdout += text));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    this.ended = once(this.#child, "close").then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when stdout has it; rejects when the program ends before. */
  prints(pattern: RegExp): Promise<void> {
    return this.#shows(pattern, this.#child.stdout, () => this.#stdout);
  }

  /** The same of stderr. */
  logs(pattern: RegExp): Promise<void> {
    return this.#shows(pattern, this.#child.stderr, () => this.#stderr);
  }

  #shows(pattern: RegExp, stream: Readable, text: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!pattern.test(text())) return;
        stream.off("data", look);
        resolve();
      };
      stream.on("data", look);
      look();
      void this.ended.then(({ code }) => {
        const told = `${this.#stdout}${this.#stderr}`;
        reject(
          new Error(`It ended (${code ?? "killed"}) without having printed ${pattern.source}:\n${told}`),
        );
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#group) this.#child.kill(signal);
    else if (
      this.#child.pid !== undefined &&
      this.#child.exitCode === null &&
      this.#child.signalCode === null
    )
      process.kill(-this.#child.pid, signal);
  }

  /** Sends a signal; resolves when the program has ended. */
  end(signal: NodeJS.Signals): Promise<Ended> {
    this.signal(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

/** Runs a program to its end. */
export async function runProgram(options: ProgramOptions): Promise<Ended> {
  await using program = new Program(options);
  return await program.ended;
}

/** Where a started gateway says that everything is. */
export interface Announced {
  readonly url: string;
  readonly origin: string;
  readonly apiKey: string;
  /** Who issues: the gateway's own emulator, or what its configuration names. */
  readonly emulator: string;
  /** That of the gateway's own emulator; empty when it brought none. */
  readonly connectionString: string;
}

/** Waits until a gateway has said what runs where. */
export async function announced(program: Program): Promise<Announced> {
  await program.prints(/Ctrl-C ends it\./);
  const find = (pattern: RegExp) => pattern.exec(program.stdout)?.[1] ?? "";
  const url = find(/^ {2}Gateway +(\S+)/m);
  return {
    url,
    origin: new URL(url).origin,
    apiKey: find(/^ {2}API key +(\S+)/m),
    emulator: find(/issued by (?:the emulator at )?(\S+)/),
    connectionString: find(/^ +(endpoint=\S+)/m),
  };
}
