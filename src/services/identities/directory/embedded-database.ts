/** The database in this process, for a gateway that is alone: PostgreSQL compiled to WebAssembly, in a folder. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite" with { "resolution-mode": "import" };
import { lockFolder } from "./folder-lock";
import type { Database, Sql } from "./sql";

interface Opened {
  readonly engine: PGlite;
  readonly lock: AsyncDisposable;
}

/** Opens its folder on first use. Statements run one after the other, on this thread. */
export class EmbeddedDatabase implements Database {
  private opened: Promise<Opened> | undefined;

  constructor(private readonly folder: string) {}

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { engine } = await this.open();
    return (await engine.query<Row>(text, [...values])).rows;
  }

  async transaction<T>(run: (sql: Sql) => Promise<T>): Promise<T> {
    const { engine } = await this.open();
    return engine.transaction((transaction) =>
      run({
        query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
          (await transaction.query<Row>(text, [...values])).rows,
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.opened?.catch(() => undefined);
    await opened?.engine.close();
    await opened?.lock[Symbol.asyncDispose]();
  }

  /** When it fails, the next statement tries again. */
  private open(): Promise<Opened> {
    return (this.opened ??= openFolder(this.folder).catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    }));
  }
}

async function openFolder(folder: string): Promise<Opened> {
  // It says who the users are, which is no business of others on this machine.
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  try {
    // Loaded here: a gateway that keeps its directory elsewhere does not pay for the engine.
    const { PGlite } = await import("@electric-sql/pglite");
    const engine = new PGlite(join(folder, "directory"));
    await engine.waitReady;
    return { engine, lock };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}
