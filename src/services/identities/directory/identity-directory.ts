/** The durable map from an app's users to their ACS identities, and the list of identities to delete, in SQL. */
import { GatewayError } from "../../../errors";
import { reasonOf } from "../../redis/reason-of";
import type { Events } from "../../telemetry/events";
import { migrate } from "./migrations";
import { DatabaseUnusable, type Database, type Sql } from "./sql";

/** Whose an identity is. */
export interface Owner {
  readonly issuer: string;
  readonly subject: string;
  /** The device label; empty for the user's own identity. */
  readonly device: string;
}

/** An identity that the directory has for somebody. */
export interface Mapping {
  readonly identityId: string;
  /** Until it is deleted, in milliseconds; null: it stays. Negative when that is overdue. */
  readonly deleteInMs: number | null;
}

/** The outcome of {@link IdentityDirectory.claim}. */
export type Claimed = "claimed" | "taken" | "full";

/** An identity that is to be deleted at ACS. */
export interface PendingDeletion {
  readonly identityId: string;
  /** How often it was taken, this time included. */
  readonly attempts: number;
}

/** How soon a database that did not answer is asked whether it is back, in milliseconds. */
const lookAgainMs = 1_000;

const ownerIs = "issuer = $1 AND subject = $2 AND device = $3";
const inMs = (parameter: string) => `now() + ${parameter}::double precision * interval '1 millisecond'`;
const ageMs = (column: string) =>
  `(extract(epoch FROM now() - ${column}) * 1000)::double precision AS age_ms`;

/**
 * Every method rejects with `DIRECTORY_UNAVAILABLE` when the database does not answer. Each is one statement or one
 * transaction, so each happens or does not; all times are the database's own.
 */
export class IdentityDirectory implements AsyncDisposable {
  private migrated: Promise<void> | undefined;
  /** The last claim of a device under way, by its user. */
  private readonly claims = new Map<string, Promise<void>>();
  private away = false;
  private again: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly database: Database,
    private readonly events: Pick<Events, "directoryUnavailable" | "createOutcomeUnknown">,
  ) {}

  /** Makes the tables. Rejects with {@link DatabaseUnusable}, or as the driver does. */
  async open(): Promise<void> {
    await (this.migrated ??= migrate(this.database).catch((error: unknown) => {
      this.migrated = undefined;
      throw error;
    }));
  }

  /** Whether the last statement failed. While it did, the database is asked again and again, until it answers. */
  get isAway(): boolean {
    return this.away;
  }

  async find(owner: Owner): Promise<Mapping | undefined> {
    const [row] = await this.ask<{ identity_id: string; delete_in_ms: number | null }>(
      "find",
      `SELECT identity_id, (extract(epoch FROM delete_at - now()) * 1000)::double precision AS delete_in_ms
       FROM acs_gateway_identities WHERE ${ownerIs} AND identity_id IS NOT NULL`,
      values(owner),
    );
    return row && { identityId: row.identity_id, deleteInMs: row.delete_in_ms };
  }

  /**
   * Claims the right to create the owner's identity for `forMs`. `taken`: another claim is in force, or the identity
   * exists. `full`: the user has `maxDevices` other devices, those whose identity is being created included. An expired
   * claim is taken over: its holder can no longer {@link activate}.
   */
  async claim(owner: Owner, claim: string, forMs: number, maxDevices = Infinity): Promise<Claimed> {
    const insert = async (sql: Sql): Promise<Claimed> => {
      const [row] = await sql.query<{ took_over: boolean; age_ms: number }>(
        `INSERT INTO acs_gateway_identities AS it (issuer, subject, device, claim, claim_until)
         VALUES ($1, $2, $3, $4, ${inMs("$5")})
         ON CONFLICT (issuer, subject, device) DO UPDATE
         SET claim = excluded.claim, claim_until = excluded.claim_until
         WHERE it.identity_id IS NULL AND it.claim_until <= now()
         RETURNING it.created_at < now() AS took_over, ${ageMs("it.created_at")}`,
        [...values(owner), claim, forMs],
      );
      if (row?.took_over) this.tellExpired(row);
      return row ? "claimed" : "taken";
    };
    if (owner.device === "") return this.run("claim", insert);
    // Claims of one user's devices wait for each other, or several would count before any of them is inserted: here, so
    // that one user does not occupy all connections, and in the database for those at other replicas.
    const user = JSON.stringify([owner.issuer, owner.subject]);
    const claimInTurn = () =>
      this.run("claim", (database) =>
        database.transaction(async (sql) => {
          await sql.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [user]);
          const [row] = await sql.query<{ others: number; exists: boolean }>(
            `SELECT count(*) FILTER (WHERE device <> $3)::int AS others,
                  coalesce(bool_or(device = $3), false) AS exists
           FROM acs_gateway_identities
           WHERE issuer = $1 AND subject = $2 AND device <> ''
             AND (identity_id IS NOT NULL OR claim_until > now())`,
            values(owner),
          );
          if (row?.exists) return "taken";
          return (row?.others ?? 0) < maxDevices ? insert(sql) : "full";
        }),
      );
    const claiming = (this.claims.get(user) ?? Promise.resolve()).then(claimInTurn);
    const settled = claiming.then(
      () => undefined,
      () => undefined,
    );
    this.claims.set(user, settled);
    void settled.then(() => this.claims.get(user) === settled && this.claims.delete(user));
    return claiming;
  }

  /** Makes the identity the owner's. False when the claim has expired or was taken over. */
  async activate(owner: Owner, claim: string, identityId: string, deleteInMs?: number): Promise<boolean> {
    const rows = await this.ask(
      "activate",
      `UPDATE acs_gateway_identities
       SET identity_id = $5, claim = NULL, claim_until = NULL, delete_at = ${inMs("$6")}
       WHERE ${ownerIs} AND claim = $4 AND claim_until > now() RETURNING 1 AS one`,
      [...values(owner), claim, identityId, deleteInMs ?? null],
    );
    return rows.length > 0;
  }

  /** Gives a claim up, so that the next may try at once. */
  async release(owner: Owner, claim: string): Promise<void> {
    await this.ask("release", `DELETE FROM acs_gateway_identities WHERE ${ownerIs} AND claim = $4`, [
      ...values(owner),
      claim,
    ]);
  }

  /** Puts the deletion off. False when the identity is not the owner's any longer. */
  async prolong(owner: Owner, identityId: string, deleteInMs: number): Promise<boolean> {
    const rows = await this.ask(
      "prolong",
      `UPDATE acs_gateway_identities SET delete_at = ${inMs("$5")}
       WHERE ${ownerIs} AND identity_id = $4 RETURNING 1 AS one`,
      [...values(owner), identityId, deleteInMs],
    );
    return rows.length > 0;
  }

  /** A user's identities with their device labels, the one without a label first. */
  async listOf(issuer: string, subject: string): Promise<{ device: string; identityId: string }[]> {
    const rows = await this.ask<{ device: string; identity_id: string }>(
      "list",
      `SELECT device, identity_id FROM acs_gateway_identities
       WHERE issuer = $1 AND subject = $2 AND identity_id IS NOT NULL ORDER BY device COLLATE "C"`,
      [issuer, subject],
    );
    return rows.map((row) => ({ device: row.device, identityId: row.identity_id }));
  }

  /** Whose each identity is; those that are nobody's are left out. One query, however many there are. */
  async ownersOf(identityIds: readonly string[]): Promise<ReadonlyMap<string, Owner>> {
    const rows = await this.ask<Owner & { identity_id: string }>(
      "owner",
      "SELECT identity_id, issuer, subject, device FROM acs_gateway_identities WHERE identity_id = ANY($1::text[])",
      [identityIds],
    );
    return new Map(rows.map(({ identity_id: id, ...owner }) => [id, owner]));
  }

  /** Forgets that the identity is the owner's: it was deleted. */
  async forget(owner: Owner, identityId: string): Promise<void> {
    await this.ask("forget", `DELETE FROM acs_gateway_identities WHERE ${ownerIs} AND identity_id = $4`, [
      ...values(owner),
      identityId,
    ]);
  }

  /**
   * In one step unbinds the identity and makes its deletion due in `dueInMs`: a failure after it leaves an identity
   * without a user, never a user with a deleted identity.
   */
  async scheduleDeletion(identityId: string, dueInMs: number): Promise<void> {
    await this.ask(
      "schedule",
      `WITH gone AS (DELETE FROM acs_gateway_identities WHERE identity_id = $1)
       INSERT INTO acs_gateway_pending_deletions AS it (identity_id, due_at) VALUES ($1, ${inMs("$2")})
       ON CONFLICT (identity_id) DO UPDATE SET due_at = least(it.due_at, excluded.due_at)`,
      [identityId, dueInMs],
    );
  }

  /** The identity is deleted. */
  async deletionDone(identityId: string): Promise<void> {
    await this.ask("done", "DELETE FROM acs_gateway_pending_deletions WHERE identity_id = $1", [identityId]);
  }

  /** Schedules the deletion of identities whose time has come; how many. */
  async scheduleExpired(most: number): Promise<number> {
    const rows = await this.ask(
      "expire",
      `WITH gone AS (
         DELETE FROM acs_gateway_identities WHERE identity_id IN (
           SELECT identity_id FROM acs_gateway_identities WHERE delete_at <= now()
           ORDER BY delete_at LIMIT $1 FOR UPDATE SKIP LOCKED
         ) RETURNING identity_id
       )
       INSERT INTO acs_gateway_pending_deletions (identity_id, due_at) SELECT identity_id, now() FROM gone
       ON CONFLICT (identity_id) DO UPDATE SET due_at = now() RETURNING 1 AS one`,
      [most],
    );
    return rows.length;
  }

  /**
   * Removes claims that expired some time ago: their gateways died in a create, which may have left an identity that
   * nobody knows. Each is reported as a create of unknown outcome.
   */
  async removeExpiredClaims(most: number, expiredForMs: number): Promise<void> {
    const rows = await this.ask<{ age_ms: number }>(
      "unclaim",
      `DELETE FROM acs_gateway_identities WHERE (issuer, subject, device) IN (
         SELECT issuer, subject, device FROM acs_gateway_identities
         WHERE claim IS NOT NULL AND claim_until <= ${inMs("-$2")} LIMIT $1 FOR UPDATE SKIP LOCKED
       ) AND claim IS NOT NULL RETURNING ${ageMs("created_at")}`,
      [most, expiredForMs],
    );
    for (const row of rows) this.tellExpired(row);
  }

  /** Takes due identities and keeps them from other workers for `claimMs`; what is not done by then is due again. */
  async takeDue(most: number, claimMs: number): Promise<PendingDeletion[]> {
    const rows = await this.ask<{ identity_id: string; attempts: number }>(
      "take",
      `UPDATE acs_gateway_pending_deletions SET due_at = ${inMs("$2")}, attempts = attempts + 1
       WHERE identity_id IN (
         SELECT identity_id FROM acs_gateway_pending_deletions WHERE due_at <= now()
         ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
       ) RETURNING identity_id, attempts`,
      [most, claimMs],
    );
    return rows.map((row) => ({ identityId: row.identity_id, attempts: row.attempts }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    clearTimeout(this.again);
    await this.database[Symbol.asyncDispose]();
  }

  private tellExpired({ age_ms: age }: { readonly age_ms: number }): void {
    this.events.createOutcomeUnknown({ cause: "claimExpired", ageMs: Math.round(age) });
  }

  private lookAgain(): void {
    if (this.closed) return;
    this.again ??= setTimeout(() => {
      this.database
        .query("SELECT 1 AS one")
        .then(() => {
          this.away = false;
        })
        .catch(() => undefined)
        .finally(() => {
          this.again = undefined;
          if (this.away) this.lookAgain();
        });
    }, lookAgainMs).unref();
  }

  private ask<Row extends object>(
    operation: string,
    text: string,
    parameters: readonly unknown[],
  ): Promise<Row[]> {
    return this.run(operation, (database) => database.query<Row>(text, parameters));
  }

  private async run<T>(operation: string, act: (database: Database) => Promise<T>): Promise<T> {
    try {
      await this.open();
      const result = await act(this.database);
      this.away = false;
      return result;
    } catch (error) {
      this.away = true;
      this.lookAgain();
      const reason = error instanceof DatabaseUnusable ? error.message : reasonOf(error);
      this.events.directoryUnavailable({ operation, reason });
      throw new GatewayError(
        "DIRECTORY_UNAVAILABLE",
        "The directory of users' identities does not answer. Try again.",
        { retryAfterSeconds: 1 },
      );
    }
  }
}

function values({ issuer, subject, device }: Owner): string[] {
  return [issuer, subject, device];
}
