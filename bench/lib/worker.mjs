/** A process that takes orders, as the bench sees it. */
import { once } from "node:events";
import { startChild } from "./children.mjs";

/** A process that takes one order at a time over its channel and answers each. */
export class Worker {
  #child;

  constructor(child) {
    this.#child = child;
  }

  /** Starts one from a file, on the core of `role`. */
  static async start(role, path, env) {
    const child = startChild(role, process.execPath, [path], { ipc: true, env });
    const worker = new Worker(child);
    await worker.#answer();
    return worker;
  }

  get pid() {
    return this.#child.pid;
  }

  async order(order, options) {
    this.#child.child.send({ order, options });
    return await this.#answer();
  }

  async end() {
    await this.#child.end();
  }

  async #answer() {
    const { child } = this.#child;
    const gone = new AbortController();
    const { signal } = gone;
    try {
      const exit = once(child, "exit", { signal }).then(() => {
        throw new Error(`${this.#child.name} has ended:\n${this.#child.log}`);
      });
      exit.catch(() => undefined);
      const [{ result, problem }] = await Promise.race([once(child, "message", { signal }), exit]);
      if (problem !== undefined) throw new Error(problem);
      return result;
    } finally {
      gone.abort();
    }
  }
}
