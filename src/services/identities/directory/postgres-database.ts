/** The database on a PostgreSQL server, which several gateways share. */
import { Pool, type PoolClient } from "pg";
import { reasonOf } from "../../redis/reason-of";
import type { Database, Sql } from "./sql";

/** How to reach it; times in milliseconds. */
export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database?sslmode=…`. */
  readonly url: string;
  /** The longest that a connection, or a statement, may take. */
  readonly timeoutMs: number;
  readonly maxConnections: number;
}

/** A pool of connections; each is opened when it is needed. */
export class PostgresDatabase implements Database {
  private readonly pool: Pool;

  /** `onError` hears of connections that break while nobody uses them, with a short code. */
  constructor({ url, timeoutMs, maxConnections }: PostgresOptions, onError: (reason: string) => void) {
    this.pool = new Pool({
      connectionString: url,
      max: maxConnections,
      connectionTimeoutMillis: timeoutMs,
      // The server gives up first; a server that is frozen is given up here.
      statement_timeout: timeoutMs,
      query_timeout: timeoutMs + 250,
      idle_in_transaction_session_timeout: 5 * timeoutMs,
      application_name: "acs-token-gateway",
      keepAlive: true,
    });
    this.pool.on("error", (error) => {
      onError(reasonOf(error));
    });
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, [...values])).rows;
  }

  async transaction<T>(run: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken = true;
    try {
      // Under a stricter default, what is read after a lock would be as it was before it.
      await client.query("BEGIN ISOLATION LEVEL READ COMMITTED");
      const result = await run(sqlOf(client));
      await client.query("COMMIT");
      broken = false;
      return result;
    } finally {
      // A connection in an unknown state is not given to anybody else; closing it rolls back.
      client.release(broken);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
  }
}

function sqlOf(client: PoolClient): Sql {
  return {
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(text, [...values])).rows,
  };
}
