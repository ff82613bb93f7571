import { expect, test, vi } from 'vitest';
import { openPool } from '../support/pool.ts';
import { describePostgres } from '../support/stores.ts';
import { SOON } from '../support/talk.ts';
import { waitingTurn } from './actions.ts';

const IN_TIME = `UPDATE turnkeeper.turns SET status = 'in_progress', time_left_ms = NULL,
  deadline = now() + interval '1 hour' WHERE id = $1`;

describePostgres('a submission that is being stored as the time is up', (database) => {
  const blocked = () =>
    database.sql(
      "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    );

  test('is waited for by the turn that reads how it stands', async () => {
    const { store } = database;
    const turn = await waitingTurn(store, { a: 'outputs' });
    await database.sql('UPDATE turnkeeper.turns SET deadline = now() WHERE id = $1', [turn.turnId]);
    const pool = openPool(database.url, 1);
    const submitting = await pool.connect();
    await submitting.query('BEGIN');
    await submitting.query(IN_TIME, [turn.turnId]);

    const reading = store.actions.read(turn.tenant, turn.turnId, ['a']);
    await vi.waitFor(async () => expect(await blocked()).toHaveLength(1), SOON);
    await submitting.query('COMMIT');
    submitting.release();
    await pool.end();
    expect((await reading).waitMs).toBeNull();
  });
});
