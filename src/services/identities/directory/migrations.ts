/** The directory's tables, and how each version of them becomes the next. */
import { DatabaseUnusable, type Database } from "./sql";

/**
 * One list of statements for each version; never changed once released, only added to.
 *
 * `acs_gateway_identities` has a row for each user and device label: with an identity, or with the claim of the gateway
 * that is creating one. `acs_gateway_pending_deletions` has identities that are to be deleted at ACS; nobody is mapped to
 * them.
 */
const migrations: readonly (readonly string[])[] = [
  [
    `CREATE TABLE acs_gateway_identities (
       issuer text NOT NULL,
       subject text NOT NULL,
       device text NOT NULL,
       identity_id text UNIQUE,
       claim text,
       claim_until timestamptz,
       delete_at timestamptz,
       created_at timestamptz NOT NULL DEFAULT now(),
       PRIMARY KEY (issuer, subject, device),
       CHECK ((identity_id IS NULL) <> (claim IS NULL))
     )`,
    `CREATE INDEX acs_gateway_identities_delete_at ON acs_gateway_identities (delete_at) WHERE delete_at IS NOT NULL`,
    `CREATE INDEX acs_gateway_identities_claim_until ON acs_gateway_identities (claim_until) WHERE claim IS NOT NULL`,
    `CREATE TABLE acs_gateway_pending_deletions (
       identity_id text PRIMARY KEY,
       due_at timestamptz NOT NULL,
       attempts integer NOT NULL DEFAULT 0,
       scheduled_at timestamptz NOT NULL DEFAULT now()
     )`,
    `CREATE INDEX acs_gateway_pending_deletions_due_at ON acs_gateway_pending_deletions (due_at)`,
  ],
];

/** The version of the tables that this program makes. */
export const latestVersion = migrations.length;

/** Any number, always the same: gateways that start together migrate one after the other. */
const lock = 6_227_020_800;

/** Brings the tables up to date. Rejects with {@link DatabaseUnusable} when they are newer than this program. */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query("SELECT pg_advisory_xact_lock($1)", [lock]);
    await sql.query(
      `CREATE TABLE IF NOT EXISTS acs_gateway_migrations (
         version integer PRIMARY KEY,
         applied_at timestamptz NOT NULL DEFAULT now()
       )`,
    );
    const [row] = await sql.query<{ version: number }>(
      "SELECT coalesce(max(version), 0) AS version FROM acs_gateway_migrations",
    );
    const done = row?.version ?? 0;
    if (done > migrations.length) {
      throw new DatabaseUnusable(
        `The directory of identities is of version ${done}; this gateway knows ${migrations.length}. Run a newer gateway.`,
      );
    }
    for (const [index, statements] of migrations.entries()) {
      if (index < done) continue;
      for (const statement of statements) await sql.query(statement);
      await sql.query("INSERT INTO acs_gateway_migrations (version) VALUES ($1)", [index + 1]);
    }
  });
}
