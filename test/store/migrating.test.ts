import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { MIGRATIONS } from '../../src/store/migrations/index.ts';
import { openStore } from '../../src/store/postgres.ts';
import { openPool } from '../support/pool.ts';
import { describePostgres } from '../support/stores.ts';
import { PATIENCE } from './fixtures.ts';

describePostgres('migrating a database that is worked with', (database) => {
  const [id, turn] = [randomUUID(), randomUUID()];

  beforeEach(async () => {
    await database.sql('DROP SCHEMA turnkeeper CASCADE');
    const db = openDatabase({ connectionString: database.url, poolSize: 1 });
    await migrate(
      db,
      MIGRATIONS.filter((migration) => migration.id < 14),
    );
    await db.close();
    await database.sql(`
      INSERT INTO turnkeeper.assistants (id, tenant, version) VALUES ('${id}', 't', 1);
      INSERT INTO turnkeeper.assistant_versions (assistant_id, version, definition) VALUES ('${id}', 1, '{}');
      INSERT INTO turnkeeper.conversations (id, tenant, metadata) VALUES ('${id}', 't', '{}');
      INSERT INTO turnkeeper.turns (id, tenant, conversation_id, assistant_id, assistant_version, state, status,
          workflow_input, deadline)
        VALUES ('${turn}', 't', '${id}', '${id}', 1, 'sealed', 'completed', '{}', now());`);
  });

  const opened = async () => {
    const store = await openStore({ connectionString: database.url, poolSize: 1 });
    await store.close();
  };

  /** A transaction of somebody who is at work. */
  async function working(): Promise<pg.PoolClient> {
    const pool = openPool(database.url, 1);
    onTestFinished(() => pool.end());
    const client = await pool.connect();
    await client.query('BEGIN');
    return client;
  }

  const waitingFor = (event: string) =>
    database.sql<{ pid: number; query: string }>(
      `SELECT pid, query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'turnkeeper'
         AND wait_event_type = 'Lock' AND wait_event = $1`,
      [event],
    );

  async function expectUpToDate(): Promise<void> {
    const applied = await database.sql<{ id: number }>(
      'SELECT id FROM turnkeeper.schema_migrations ORDER BY id',
    );
    expect(applied.map((row) => row.id)).toEqual(MIGRATIONS.map((migration) => migration.id));
    const indexes = MIGRATIONS.flatMap((one) => ('indexes' in one ? one.indexes : []));
    const valid = await database.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indisvalid AND relname = ANY ($1)`,
      [indexes.map(({ name }) => name)],
    );
    expect(valid).toHaveLength(indexes.length);
  }

  test('waits for whoever holds a conversation, and keeps no table from them that they go on to', async () => {
    const live = await working();
    await live.query('SELECT 1 FROM turnkeeper.conversations FOR NO KEY UPDATE');
    const opening = Promise.all([opened(), opened()]);
    await expect.poll(() => waitingFor('relation'), PATIENCE).toHaveLength(1);
    await live.query('LOCK TABLE turnkeeper.turns IN ROW EXCLUSIVE MODE NOWAIT');
    await live.query('UPDATE turnkeeper.turns SET message = NULL');
    await live.query('COMMIT');
    live.release();
    await opening;
    await expectUpToDate();
  });

  test('gives way to whoever reads items and then wants their conversation', async () => {
    const live = await working();
    await live.query('LOCK TABLE turnkeeper.items IN ACCESS SHARE MODE');
    const opening = opened();
    await expect.poll(() => waitingFor('relation'), PATIENCE).toHaveLength(1);
    await live.query('SELECT 1 FROM turnkeeper.conversations FOR NO KEY UPDATE');
    await live.query('COMMIT');
    live.release();
    await opening;
    await expectUpToDate();
  });

  test('builds indexes while others write, and anew where that was cut off', async () => {
    const live = await working();
    await live.query('LOCK TABLE turnkeeper.steps IN ROW EXCLUSIVE MODE');
    const settled = Promise.allSettled([opened()]);
    await expect.poll(() => waitingFor('virtualxid'), PATIENCE).toHaveLength(1);
    const [building] = await waitingFor('virtualxid');
    expect(building?.query).toContain('CREATE INDEX CONCURRENTLY steps_open');
    await database.sql('BEGIN; LOCK TABLE turnkeeper.steps IN ROW EXCLUSIVE MODE NOWAIT; COMMIT');
    await database.sql('SELECT pg_terminate_backend($1)', [building?.pid]);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected']);
    expect(await database.sql('SELECT 1 FROM pg_index WHERE NOT indisvalid')).toHaveLength(1);
    await live.query('COMMIT');
    live.release();
    await Promise.all([opened(), opened()]);
    await expectUpToDate();
  });
});
