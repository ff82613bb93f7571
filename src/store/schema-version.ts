import { openDatabase, type DatabaseOptions } from './database.ts';
import { MIGRATIONS } from './migrations/index.ts';

export interface SchemaVersion {
  /** The newest migration that the database has; 0 for a database without our schema. */
  applied: number;
  /** The newest one that this release knows. */
  known: number;
}

/** Looks without changing anything. Rejects with `StoreUnavailable` when the database cannot be reached. */
export async function readSchemaVersion(options: DatabaseOptions): Promise<SchemaVersion> {
  const db = openDatabase({ ...options, poolSize: 1 });
  try {
    const [table] = await db.query<{ there: boolean }>(
      `SELECT to_regclass('turnkeeper.schema_migrations') IS NOT NULL AS there`,
    );
    const [row] = table?.there
      ? await db.query<{ newest: number | null }>(
          'SELECT max(id) AS newest FROM turnkeeper.schema_migrations',
        )
      : [];
    return { applied: row?.newest ?? 0, known: MIGRATIONS.at(-1)?.id ?? 0 };
  } finally {
    await db.close();
  }
}
