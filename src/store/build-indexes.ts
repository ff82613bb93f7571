import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Queryable } from './database.ts';
import { GIVE_UP_SOON, patiently } from './lock-timeout.ts';
import type { NewIndex } from './migrations/migration.ts';

const BUILD_LOCK = 7_836_272;
const PAUSE_MS = 500;

/** In a transaction, while nobody else needs the tables. */
export async function build(tx: Queryable, indexes: NewIndex[]): Promise<void> {
  for (const { name, on } of indexes)
    await tx.query(`CREATE INDEX IF NOT EXISTS ${name} ON turnkeeper.${on}`);
}

/**
 * While everybody goes on writing. One process builds and the others ask now and then whether it has: a build waits for
 * every statement that is under way, also for one that waits for a lock. What a killed one left behind is built anew.
 */
export async function buildConcurrently(database: Database, indexes: NewIndex[]): Promise<void> {
  while (!(await database.transaction((tx) => buildAlone(database, tx, indexes))))
    await sleep(PAUSE_MS);
}

/**
 * The transaction holds the lock alone: it has no snapshot that a build would wait for. A session's lock might be
 * another's behind PgBouncer.
 */
async function buildAlone(
  database: Database,
  tx: Queryable,
  indexes: NewIndex[],
): Promise<boolean> {
  await tx.query(
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 0',
  );
  // Without a parameter: the portal of a query that has one keeps its snapshot.
  const [lock] = await tx.query<{ held: boolean }>(
    `SELECT pg_try_advisory_xact_lock(${BUILD_LOCK}) AS held`,
  );
  if (!lock?.held) return false;
  for (const index of indexes) await buildOne(database, index);
  return true;
}

async function buildOne(database: Database, { name, on }: NewIndex): Promise<void> {
  const there = await patiently(() =>
    database.transaction(async (tx) => {
      // Who builds it holds this lock, also when nobody waits for the end of it any more.
      await tx.query(`LOCK TABLE turnkeeper.${on.split(' ')[0]} IN SHARE UPDATE EXCLUSIVE MODE`);
      const valid = await isValid(tx, name);
      if (valid === false) await tx.query(`${GIVE_UP_SOON}; DROP INDEX turnkeeper.${name}`);
      return valid === true;
    }),
  );
  if (!there) await database.query(`CREATE INDEX CONCURRENTLY ${name} ON turnkeeper.${on}`);
}

/** Null for one that is not there. */
async function isValid(tx: Queryable, name: string): Promise<boolean | null> {
  const [row] = await tx.query<{ valid: boolean }>(
    'SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)',
    [`turnkeeper.${name}`],
  );
  return row?.valid ?? null;
}
