import { TurnkeeperError } from '../contracts/errors.ts';
import { buildConcurrently, build } from './build-indexes.ts';
import type { Database, Queryable } from './database.ts';
import { GIVE_UP_SOON, patiently } from './lock-timeout.ts';
import { MIGRATIONS } from './migrations/index.ts';
import type { Migration } from './migrations/migration.ts';

export const MIGRATION_LOCK = 7_836_271;

/**
 * Brings the schema up to date: an empty database in one transaction, another one migration by migration, so that no
 * lock is held for longer than its own statements take. Indexes on tables with rows are built beside them. The advisory
 * lock is one of the transaction: PGlite serves every connection from one session, where a session's excludes nobody.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  for (;;) {
    const next = await patiently(() => database.transaction((tx) => advance(tx, migrations)));
    if (next === 'done') return;
    if (next === 'more') continue;
    await buildConcurrently(database, next.indexes);
    await database.transaction((tx) => record(tx, next));
  }
}

type WithIndexes = Extract<Migration, { indexes: unknown }>;

/** Answers what is to be done outside of a transaction, where that is next. */
async function advance(
  tx: Queryable,
  migrations: readonly Migration[],
): Promise<WithIndexes | 'more' | 'done'> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  await tx.query('CREATE SCHEMA IF NOT EXISTS turnkeeper');
  await tx.query(
    `CREATE TABLE IF NOT EXISTS turnkeeper.schema_migrations (
       id integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  const applied = await appliedMigrations(tx, migrations);
  const pending = migrations.filter(({ id }) => !applied.has(id));
  if (applied.size === 0) {
    for (const migration of pending) await apply(tx, migration);
    return 'done';
  }
  const [next] = pending;
  if (!next) return 'done';
  if ('indexes' in next && !(await isEmbedded(tx))) return next;
  await tx.query(GIVE_UP_SOON);
  await apply(tx, next);
  return 'more';
}

async function apply(tx: Queryable, migration: Migration): Promise<void> {
  if ('sql' in migration) await tx.query(migration.sql);
  else await build(tx, migration.indexes);
  await record(tx, migration);
}

/** Whoever built the same indexes may have been first. */
async function record(tx: Queryable, { id, name }: Migration): Promise<void> {
  await tx.query(
    'INSERT INTO turnkeeper.schema_migrations (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    [id, name],
  );
}

/** Its transactions come one after the other. */
async function isEmbedded(tx: Queryable): Promise<boolean> {
  const [row] = await tx.query<{ embedded: boolean }>(
    `SELECT version() LIKE '%PGlite%' AS embedded`,
  );
  return row?.embedded ?? false;
}

async function appliedMigrations(
  tx: Queryable,
  migrations: readonly Migration[],
): Promise<Set<number>> {
  const rows = await tx.query<{ id: number }>('SELECT id FROM turnkeeper.schema_migrations');
  const newest = Math.max(0, ...rows.map((row) => row.id));
  const known = migrations.at(-1)?.id ?? 0;
  if (newest > known) {
    throw new TurnkeeperError(
      'database_too_new',
      `The database has migration ${newest}; this release knows up to ${known}.`,
    );
  }
  return new Set(rows.map((row) => row.id));
}
