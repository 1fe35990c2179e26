/** The database in this process: PostgreSQL itself, compiled to WebAssembly, in a folder that one gateway has to itself. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DirectoryLock } from "./directory-lock";
import type { Database, Sql } from "./sql";

/** What is used of the engine. */
interface Statements {
  query<Row>(text: string, values?: unknown[]): Promise<{ readonly rows: Row[] }>;
}

interface Engine extends Statements {
  transaction<T>(run: (statements: Statements) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Opens its folder on first use, so that a gateway that never needs it pays nothing. */
export class EmbeddedDatabase implements Database {
  private opened: Promise<{ readonly db: Engine; readonly lock: DirectoryLock }> | undefined;

  constructor(private readonly folder: string) {}

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { db } = await this.open();
    return (await db.query<Row>(text, [...values])).rows;
  }

  async transaction<T>(run: (sql: Sql) => Promise<T>): Promise<T> {
    const { db } = await this.open();
    return db.transaction((transaction) =>
      run({
        query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
          (await transaction.query<Row>(text, [...values])).rows,
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.opened?.catch(() => undefined);
    this.opened = undefined;
    await opened?.db.close();
    await opened?.lock[Symbol.asyncDispose]();
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
      const { PGlite: engine } = await import("@electric-sql/pglite");
      const db: Engine = await engine.create(join(this.folder, "directory"));
      return { db, lock };
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }
}
