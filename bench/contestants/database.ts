import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { startPglite } from '../../src/dev/pglite/start.ts';
import { startPostgresServer } from '../../src/dev/postgres-server.ts';

export type DatabaseKind = 'postgres' | 'pglite';

/** A database of a contestant's own. */
export interface RunningDatabase {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** All PostgreSQL servers run with the same settings; PGlite keeps its data in `dataDir`. */
export function startDatabase(kind: DatabaseKind, dataDir: string): Promise<RunningDatabase> {
  return kind === 'postgres' ? startPostgresServer() : startPglite({ dataDir });
}

/** Connections that a contestant has, as many as Turnkeeper's processes have by default. */
export const POOL_SIZE = 10;

function openPool(connectionString: string): pg.Pool {
  return new pg.Pool({ connectionString, max: POOL_SIZE }).on('error', () => undefined);
}

/** What is the same in every contestant that keeps its state in a PostgreSQL of its own. */
export function stateInPostgres() {
  let database: RunningDatabase;
  let pool: pg.Pool;
  return {
    async open(scratch: string): Promise<{ url: string; pool: pg.Pool }> {
      database = await startDatabase('postgres', scratch);
      pool = openPool(database.url);
      return { url: database.url, pool };
    },
    openConversation: () => Promise.resolve(randomUUID()),
    processes: () => ({ database: database.pid }),
    stateBytes: () => databaseBytes(database.url),
    histories: () => Promise.resolve([]),
    async stop() {
      await pool.end();
      await database.stop();
    },
  };
}

/** Bytes of all tables with their indexes, rewritten first, so that what updates left behind does not count. */
export async function databaseBytes(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query('VACUUM FULL');
    const { rows } = await client.query<{ bytes: string }>(
      `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
    );
    return Number(rows[0]?.bytes);
  } finally {
    await client.end();
  }
}
