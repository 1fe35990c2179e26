/** Child processes on the core of their role, that end with the bench however it ends. */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fstatSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pinned } from "./cores.mjs";

/** A shell that waits for its input to end, which the kernel sees to when the bench dies of anything. */
const watch = 'read -r _; kill -s KILL -- "$0"';

/** Nothing of the user's own settings reaches what is measured. */
export function cleanEnvironment(extra = {}) {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, NODE_ENV: "production", ...extra };
}

/**
 * Starts a program.
 * @param {"server" | "load"} role whose core it runs on
 * @param {{ env?: object, ipc?: boolean }} options `ipc`: with a channel for messages
 */
export function startChild(role, program, args, { env, ipc = false } = {}) {
  const [command, all] = pinned(role, program, args);
  const told = fileWithoutName();
  const process_ = spawn(command, all, {
    env: cleanEnvironment(env),
    stdio: ["ignore", "pipe", told, ...(ipc ? ["ipc"] : [])],
  });
  return new Child(process_, [program, ...args].join(" "), told);
}

let files = 0;

/** A server's log has a line for each request: whoever read it from a pipe would take the processor from what is measured. */
function fileWithoutName() {
  const path = join(tmpdir(), `acs-token-gateway-bench-${process.pid}-${files++}.log`);
  const descriptor = openSync(path, "w+", 0o600);
  unlinkSync(path);
  return descriptor;
}

/** The most of a log that is shown. */
const mostShown = 500_000;

class Child {
  #output = "";
  #told;
  #ended = false;

  constructor(child, name, told) {
    this.#told = told;
    this.child = child;
    this.name = name;
    endWithBench(child);
    child.stdout
      .setEncoding("utf8")
      .on("data", (text) => (this.#output = (this.#output + text).slice(-20_000)));
    // Each wait for its output listens for its end, too.
    child.setMaxListeners(0);
    child.once("exit", () => (this.#ended = true));
  }

  get pid() {
    return this.child.pid;
  }

  /** What `pattern` finds in its standard output, waiting for it. Throws when the program ends before, or is too slow. */
  async prints(pattern, patienceMs = 30_000) {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match) return match;
      if (this.#ended || Date.now() > deadline) {
        const what = this.#ended ? "has ended" : "did not say what was waited for";
        throw new Error(`${this.name} ${what}:\n${this.#output}${this.log}`);
      }
      await Promise.race([
        once(this.child.stdout, "data"),
        once(this.child, "exit"),
        new Promise((resolve) => setTimeout(resolve, 1_000).unref()),
      ]);
    }
  }

  /** What it has written to its standard error lately. */
  get log() {
    const { size } = fstatSync(this.#told);
    const bytes = Buffer.alloc(Math.min(size, mostShown));
    readSync(this.#told, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString();
  }

  /** Ends it; resolves when it is gone. */
  async end(signal = "SIGKILL") {
    if (this.#ended) return;
    const exited = once(this.child, "exit");
    this.child.kill(signal);
    await exited;
  }
}

function endWithBench(child) {
  const watcher = spawn("/bin/sh", ["-c", watch, String(child.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.unref();
  watcher.stdin.unref();
  child.once("exit", () => watcher.kill("SIGKILL"));
}
