/** The database in this process: PostgreSQL itself, compiled to WebAssembly, in a folder that one gateway has to itself. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { DirectoryLock } from "./directory-lock";
import type { Database, Sql } from "./sql";

/** The longest that a statement may take, in milliseconds; the first one of a folder waits for its making as well. */
const statementMs = 5_000;

/**
 * What runs in a thread of its own, so that neither the engine's start nor a statement holds up requests. It is plain
 * JavaScript in a text, because a thread has no way to TypeScript where this file has not been compiled.
 */
const thread = `
const { parentPort, workerData } = require("node:worker_threads");
const { PGlite } = require(workerData.engine);
PGlite.create(workerData.folder).then((db) => {
  parentPort.on("message", async ({ id, text, values }) => {
    try {
      if (text === undefined) await db.close();
      const rows = text === undefined ? [] : (await db.query(text, values)).rows;
      parentPort.postMessage({ id, rows });
    } catch (error) {
      parentPort.postMessage({ id, failure: { message: String(error.message), code: error.code } });
    }
  });
  parentPort.postMessage({ id: 0, rows: [] });
}, (error) => {
  parentPort.postMessage({ id: 0, failure: { message: String(error.message), code: error.code } });
});
`;

interface Answer {
  readonly id: number;
  readonly rows?: readonly object[];
  readonly failure?: { readonly message: string; readonly code: string | undefined };
}

/** The engine's thread. */
class Engine {
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private last = 0;

  private constructor(private readonly worker: Worker) {
    worker.on("message", (answer: Answer) => {
      this.settle(answer);
    });
    const over = (error?: Error) => {
      const failure = { message: error?.message ?? "The engine has ended.", code: "ENGINE_ENDED" };
      for (const id of [...this.waiting.keys()]) this.settle({ id, failure });
    };
    worker.on("error", over);
    worker.on("exit", () => {
      over();
    });
  }

  /** Starts the engine on a folder, which it makes if need be. */
  static async start(folder: string): Promise<Engine> {
    const workerData = { engine: require.resolve("@electric-sql/pglite"), folder };
    const engine = new Engine(new Worker(thread, { eval: true, workerData }));
    await engine.answer(0);
    return engine;
  }

  async run(text: string | undefined, values: readonly unknown[] = []): Promise<readonly object[]> {
    const id = ++this.last;
    const answer = this.answer(id, statementMs);
    this.worker.postMessage({ id, text, values });
    return answer;
  }

  async stop(): Promise<void> {
    await this.run(undefined).catch(() => undefined);
    await this.worker.terminate();
  }

  private settle(answer: Answer): void {
    this.waiting.get(answer.id)?.(answer);
    this.waiting.delete(answer.id);
    if (this.waiting.size === 0) this.worker.unref();
  }

  private answer(id: number, withinMs?: number): Promise<readonly object[]> {
    return new Promise((resolve, reject) => {
      const timer =
        withinMs === undefined
          ? undefined
          : setTimeout(() => {
              this.settle({ id, failure: { message: "The engine does not answer.", code: "TIMEOUT" } });
            }, withinMs);
      // The thread keeps the process alive while somebody waits for it, and not longer.
      this.worker.ref();
      this.waiting.set(id, ({ rows, failure }) => {
        clearTimeout(timer);
        if (failure) reject(Object.assign(new Error(failure.message), { code: failure.code }));
        else resolve(rows ?? []);
      });
    });
  }
}

/** Opens its folder on first use, so that a gateway that never needs it pays nothing. */
export class EmbeddedDatabase implements Database {
  private opened: Promise<{ readonly engine: Engine; readonly lock: DirectoryLock }> | undefined;
  /** The engine is one connection: a transaction has it to itself. */
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly folder: string) {}

  query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.inTurn((engine) => ask<Row>(engine, text, values));
  }

  transaction<T>(run: (sql: Sql) => Promise<T>): Promise<T> {
    return this.inTurn(async (engine) => {
      await engine.run("BEGIN");
      try {
        const result = await run({
          query: <Row extends object>(text: string, values: readonly unknown[] = []) =>
            ask<Row>(engine, text, values),
        });
        await engine.run("COMMIT");
        return result;
      } catch (error) {
        await engine.run("ROLLBACK");
        throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tail.catch(() => undefined);
    await this.close();
  }

  private async close(): Promise<void> {
    const opened = await this.opened?.catch(() => undefined);
    this.opened = undefined;
    await opened?.engine.stop();
    await opened?.lock[Symbol.asyncDispose]();
  }

  private inTurn<T>(act: (engine: Engine) => Promise<T>): Promise<T> {
    const turn = this.tail.then(
      () => this.act(act),
      () => this.act(act),
    );
    this.tail = turn;
    return turn;
  }

  private async act<T>(act: (engine: Engine) => Promise<T>): Promise<T> {
    const { engine } = await this.open();
    try {
      return await act(engine);
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENGINE_ENDED") await this.close();
      throw error;
    }
  }

  /** One that fails is tried again by the next caller. */
  private open() {
    return (this.opened ??= this.openFolder().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    }));
  }

  private async openFolder() {
    // What it says of users is nobody else's business on this machine.
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const lock = await DirectoryLock.acquire(join(this.folder, "lock"));
    try {
      return { engine: await Engine.start(join(this.folder, "directory")), lock };
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }
}

async function ask<Row extends object>(
  engine: Engine,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  return [...(await engine.run(text, values))] as Row[];
}
