import { TurnkeeperError } from '../contracts/errors.ts';
import type { Database, Queryable } from './database.ts';
import { MIGRATIONS } from './migrations/index.ts';

export const MIGRATION_LOCK = 7_836_271;

/**
 * Brings the schema up to date. One transaction under a transaction-level advisory lock: PGlite serves every connection
 * from one session, where a session-level lock would exclude nobody.
 */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await tx.query('CREATE SCHEMA IF NOT EXISTS turnkeeper');
    await tx.query(
      `CREATE TABLE IF NOT EXISTS turnkeeper.schema_migrations (
         id integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const applied = await appliedMigrations(tx);
    for (const migration of MIGRATIONS.filter(({ id }) => !applied.has(id))) {
      await tx.query(migration.sql);
      await tx.query('INSERT INTO turnkeeper.schema_migrations (id, name) VALUES ($1, $2)', [
        migration.id,
        migration.name,
      ]);
    }
  });
}

async function appliedMigrations(tx: Queryable): Promise<Set<number>> {
  const rows = await tx.query<{ id: number }>('SELECT id FROM turnkeeper.schema_migrations');
  const newest = Math.max(0, ...rows.map((row) => row.id));
  const known = MIGRATIONS.at(-1)?.id ?? 0;
  if (newest > known) {
    throw new TurnkeeperError(
      'database_too_new',
      `The database has migration ${newest}; this release knows up to ${known}.`,
    );
  }
  return new Set(rows.map((row) => row.id));
}
