import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/contracts/logger.ts';
import { openDatabase, type Database } from '../../src/store/database.ts';
import { describePostgres } from '../support/stores.ts';

const ONE = 'SELECT $1::int AS one';
const ALL = 'SELECT * FROM shape WHERE id = $1';

describePostgres('prepared statements', (database) => {
  let db: Database;
  const warn = vi.fn<Logger['warn']>();
  beforeEach(() => {
    warn.mockClear();
    const logger = { info: warn, warn, error: warn };
    db = openDatabase({ connectionString: database.url, poolSize: 1, logger });
  });
  afterEach(() => db.close());

  const prepared = async () =>
    (await db.query<{ count: number }>('SELECT count(*) FROM pg_prepared_statements'))[0]?.count;

  test('are used again', async () => {
    for (let i = 0; i < 3; i += 1) await db.query(ONE, [1]);
    expect(await prepared()).toBe(1);
  });

  const LOSSES: Record<string, { sql: string; lose: () => Promise<unknown>; answer: unknown }> = {
    'are forgotten by the server': {
      sql: ONE,
      lose: () => db.query('DEALLOCATE ALL'),
      answer: [{ one: 1 }],
    },
    'are of another shape now': {
      sql: ALL,
      lose: () => database.sql('ALTER TABLE shape ADD COLUMN more int'),
      answer: [{ id: 1, more: null }],
    },
  };
  describe.for(Object.entries(LOSSES))('that %s', ([, { sql, lose, answer }]) => {
    beforeEach(async () => {
      await database.sql('DROP TABLE IF EXISTS shape');
      await database.sql('CREATE TABLE shape AS SELECT 1 AS id');
      await db.query(sql, [1]);
      await lose();
    });

    test('are done without by a statement', async () => {
      expect(await db.query(sql, [1])).toEqual(answer);
      expect(await db.query('SELECT $1::text AS other', ['x'])).toEqual([{ other: 'x' }]);
      expect(await prepared()).toBeLessThanOrEqual(1);
      // For the life of the process, which is told once.
      expect(warn).toHaveBeenCalledExactlyOnceWith('statements are not prepared any more', {
        error: expect.any(String) as string,
      });
    });

    test('are done without by a transaction, which happens once', async () => {
      await db.transaction(async (tx) => {
        await tx.query('INSERT INTO shape (id) VALUES ($1)', [2]);
        expect(await tx.query(sql, [1])).toEqual(answer);
      });
      expect(await database.sql('SELECT id FROM shape WHERE id = 2')).toHaveLength(1);
    });
  });

  test('that another connection has made under the same name are done without', async () => {
    await db.query(ONE, [1]);
    const [{ name } = { name: '' }] = await db.query<{ name: string }>(
      'SELECT name FROM pg_prepared_statements',
    );
    await db.query('DEALLOCATE ALL');
    const shared = openDatabase({ connectionString: database.url, poolSize: 1 });
    try {
      await shared.query(`PREPARE "${name}" AS SELECT 2 AS one`);
      expect(await shared.query(ONE, [1])).toEqual([{ one: 1 }]);
    } finally {
      await shared.close();
    }
  });
});
