import { expect, test } from 'vitest';
import type { Store } from '../../src/contracts/store.ts';
import { openStore } from '../../src/store/postgres.ts';
import { describePostgres, type TestDatabase } from '../support/stores.ts';
import {
  PATIENCE,
  attemptOf,
  beginRespond,
  newPlace,
  newTurn,
  response,
  type Place,
  type TurnAt,
} from './fixtures.ts';

const ITEMS = 5_000;
const AFTER_SUMMARY = 40;
/** What is read beside the items that are shown. */
const FEW = 50;

/** Years of one conversation. */
async function fill({ sql }: TestDatabase, { conversationId }: Place, items: number) {
  await sql(
    `INSERT INTO turnkeeper.items (conversation_id, position, type, item)
     SELECT $1, n, 'message', json_build_object('type', 'message', 'role', 'user', 'content', 'Item ' || n)
     FROM generate_series(1, $2::int) n`,
    [conversationId, items],
  );
  await sql('UPDATE turnkeeper.conversations SET next_position = $2 + 1 WHERE id = $1', [
    conversationId,
    items,
  ]);
  await sql('ANALYZE turnkeeper.items');
}

/** Has the conversation summarized up to a position. */
async function summarize(store: Store, turn: TurnAt, through: number): Promise<void> {
  const { tenant, conversationId } = turn;
  await beginRespond(store, attemptOf(turn));
  await store.steps.settleResponse(attemptOf(turn), response([], { summarize: through }));
  const summary = { text: `All up to ${through}.`, through };
  await store.summaries.extend(tenant, conversationId, { after: 0, summary });
}

describePostgres('a conversation of five thousand items', (database) => {
  const connections = async () => {
    const rows = await database.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'turnkeeper'`,
    );
    return rows.map(({ pid }) => pid);
  };

  const itemsRead = async () => {
    const [row] = await database.sql<{ rows: number }>(
      `SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows
       FROM pg_stat_user_tables WHERE schemaname = 'turnkeeper' AND relname = 'items'`,
    );
    return row?.rows ?? 0;
  };

  test('is read from its summary on', async () => {
    const place = await newPlace(database.store);
    await fill(database, place, ITEMS);
    const turn = await newTurn(database.store, place);
    await summarize(database.store, turn, ITEMS - AFTER_SUMMARY);
    const [before, others] = [await itemsRead(), await connections()];
    const store = await openStore({ connectionString: database.url, poolSize: 1 });
    const { items } = await store.steps.loadContext(attemptOf(turn));
    await store.close();
    // A connection tells what it read by when it is gone.
    const isOurs = async () => (await connections()).filter((pid) => !others.includes(pid));
    await expect.poll(isOurs, PATIENCE).toEqual([]);
    expect(items).toHaveLength(AFTER_SUMMARY + 1);
    const read = (await itemsRead()) - before;
    expect(read).toBeGreaterThan(AFTER_SUMMARY);
    expect(read).toBeLessThan(AFTER_SUMMARY + FEW);
  });

  test('is seen with the old summary or with the new one, and all items after it', async () => {
    const { store } = database;
    const place = await newPlace(store);
    await fill(database, place, 200);
    const turn = await newTurn(store, place);
    const { tenant, conversationId } = turn;
    await summarize(store, turn, 1);
    await database.sql('UPDATE turnkeeper.conversations SET summary_wanted = 200 WHERE id = $1', [
      conversationId,
    ]);
    const seen = new Set<number>();
    let done = false;
    const reading = Array.from({ length: 4 }, async () => {
      while (!done) {
        const { summary, items } = await store.steps.loadContext(attemptOf(turn));
        const through = summary?.through ?? 0;
        seen.add(through);
        expect(summary?.text).toBe(`All up to ${through}.`);
        const positions = Array.from({ length: 201 - through }, (_, n) => through + 1 + n);
        expect(items.map(({ position }) => position)).toEqual(positions);
      }
    });
    for (let after = 1; after < 200; after++) {
      const summary = { text: `All up to ${after + 1}.`, through: after + 1 };
      await store.summaries.extend(tenant, conversationId, { after, summary });
    }
    done = true;
    await Promise.all(reading);
    expect(seen.size).toBeGreaterThan(2);
  });
});
