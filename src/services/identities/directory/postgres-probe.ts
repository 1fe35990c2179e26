/** Looks at the PostgreSQL server of the directory of identities without changing it. */
import { Client } from "pg";
import type { Clock } from "../../clock";
import { latestVersion } from "./migrations";

/** What was seen of a PostgreSQL server. */
export interface PostgresSight {
  /** As `12.0` is 120000. */
  readonly version: number;
  readonly tls: boolean;
  /** The median of some round trips, in milliseconds. */
  readonly roundTripMs: number;
  /** How far its clock is ahead of this machine's, in milliseconds. */
  readonly skewMs: number;
  /** It is a standby, or its transactions are read-only by default. */
  readonly readOnly: boolean;
  /** The version of the tables; 0: there are none yet. */
  readonly tables: number;
  /** The version that this program makes of them. */
  readonly latest: number;
  readonly mayCreate: boolean;
  /** Rights on tables that are there and missing: `UPDATE acs_gateway_identities`. */
  readonly missingRights: readonly string[];
}

/** Looks at a server. Rejects as the driver does. */
export async function probePostgres(url: string, timeoutMs: number, clock: Clock): Promise<PostgresSight> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: "acs-token-gateway doctor",
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const one = async (text: string) => (await client.query<Record<string, unknown>>(text)).rows[0] ?? {};
    const samples: { roundTripMs: number; skewMs: number }[] = [];
    for (let count = 0; count < 3; count++) {
      const [sentAt, began] = [clock.now(), performance.now()];
      const { ms } = await one("SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms");
      const roundTripMs = performance.now() - began;
      samples.push({ roundTripMs, skewMs: Number(ms) - sentAt - roundTripMs / 2 });
    }
    samples.sort((some, other) => some.roundTripMs - other.roundTripMs);
    const state = await one(`SELECT current_setting('server_version_num')::int AS version,
      coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
      pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS readonly,
      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS maycreate,
      to_regclass('acs_gateway_migrations') IS NOT NULL AS there`);
    const missingRights: string[] = [];
    let tables = 0;
    if (state.there === true) {
      const { rows } = await client.query<{ name: string; verb: string; may: boolean }>(
        `SELECT name, verb, has_table_privilege(to_regclass(name), verb) AS may
         FROM unnest($1::text[]) AS name, unnest($2::text[]) AS verb WHERE to_regclass(name) IS NOT NULL`,
        [
          ["acs_gateway_identities", "acs_gateway_pending_deletions"],
          ["SELECT", "INSERT", "UPDATE", "DELETE"],
        ],
      );
      missingRights.push(...rows.filter(({ may }) => !may).map(({ name, verb }) => `${verb} ${name}`));
      const mayRead = await one("SELECT has_table_privilege('acs_gateway_migrations', 'SELECT') AS may");
      if (mayRead.may === true) {
        tables = Number((await one("SELECT coalesce(max(version), 0) AS v FROM acs_gateway_migrations")).v);
      } else missingRights.push("SELECT acs_gateway_migrations");
    }
    return {
      version: Number(state.version),
      tls: state.tls === true,
      roundTripMs: samples[1]?.roundTripMs ?? 0,
      skewMs: samples[1]?.skewMs ?? 0,
      readOnly: state.readonly === true,
      tables,
      latest: latestVersion,
      mayCreate: state.maycreate === true,
      missingRights,
    };
  } finally {
    // A server that hangs answers no farewell either.
    void client.end().catch(() => undefined);
  }
}
