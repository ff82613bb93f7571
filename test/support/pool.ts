import pg from 'pg';

/**
 * Connections for a test to look past the store. `pool.end()` resolves before they are closed (pg-pool 3); a database that is
 * dropped in that moment ends them itself, which is no failure of the test.
 */
export function openPool(connectionString: string, max: number): pg.Pool {
  return new pg.Pool({ connectionString, max }).on('error', () => undefined);
}
