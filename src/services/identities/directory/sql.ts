/** The port to a PostgreSQL, a server's or the embedded one: what is asked of it is the same SQL. */
import { StartupError } from "../../../startup-error";

/** Runs statements. */
export interface Sql {
  /** Runs one statement with `$1`, `$2` … and resolves with its rows. Rejects as the driver does. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** A database. Closing it waits for what is under way. */
export interface Database extends Sql, AsyncDisposable {
  /** Runs statements as one: all of them, or none when `run` rejects. */
  transaction<T>(run: (sql: Sql) => Promise<T>): Promise<T>;
}

/** The database cannot be used. The message is fit for the operator. */
export class DatabaseUnusable extends StartupError {
  override readonly name = "DatabaseUnusable";
}
