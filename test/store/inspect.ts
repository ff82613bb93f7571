import { expect } from 'vitest';
import type { TestDatabase } from '../support/stores.ts';
import { readEvents, type TurnAt } from './fixtures.ts';

const OF_TURN = 'turn_id IN (SELECT id FROM turnkeeper.turns WHERE tenant = $1)';

/** Which rows of each table are a tenant's. */
export const ROWS_OF_TENANT: Record<string, string> = {
  assistants: 'tenant = $1',
  assistant_versions: 'assistant_id IN (SELECT id FROM turnkeeper.assistants WHERE tenant = $1)',
  conversations: 'tenant = $1',
  idempotency_keys: 'tenant = $1',
  turns: 'tenant = $1',
  queue: 'conversation_id IN (SELECT id FROM turnkeeper.conversations WHERE tenant = $1)',
  items: 'conversation_id IN (SELECT id FROM turnkeeper.conversations WHERE tenant = $1)',
  branch_effects: OF_TURN,
  steps: OF_TURN,
  model_calls: OF_TURN,
  actions: OF_TURN,
  passages: OF_TURN,
  event_sequences: OF_TURN,
  events: OF_TURN,
  data_keys:
    'conversation_id IN (SELECT id FROM turnkeeper.conversations WHERE tenant = $1) OR document_id IN (SELECT id FROM turnkeeper.documents WHERE tenant = $1)',
  documents: 'tenant = $1',
  document_parts: 'document_id IN (SELECT id FROM turnkeeper.documents WHERE tenant = $1)',
  files: 'tenant = $1',
  file_parts: 'file_id IN (SELECT id FROM turnkeeper.files WHERE tenant = $1)',
};

/** Every row of a tenant, by table: equal before and after when nothing was written. */
export async function rowsOf(
  database: TestDatabase,
  tenant: string,
): Promise<Record<string, string[]>> {
  const tables: Record<string, string[]> = {};
  for (const [table, condition] of Object.entries(ROWS_OF_TENANT)) {
    const rows = await database.sql<{ row: string }>(
      `SELECT t::text AS row FROM turnkeeper.${table} t WHERE ${condition} ORDER BY 1`,
      [tenant],
    );
    tables[table] = rows.map(({ row }) => row);
  }
  return tables;
}

/** What must be true of every sealed turn, however it came to its end. */
export async function expectSealedSoundly(database: TestDatabase, turn: TurnAt): Promise<void> {
  const events = await readEvents(database.store, turn);
  expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
  const ends = events.filter(({ event }) => event.type === 'turn.done');
  expect(ends).toHaveLength(1);
  expect(events.at(-1)?.event.type).toBe('turn.done');

  const [left] = await database.sql(
    `SELECT
       (SELECT count(*)::int FROM turnkeeper.steps WHERE turn_id = $1 AND status = 'open') AS "openSteps",
       (SELECT count(*)::int FROM turnkeeper.model_calls
        WHERE turn_id = $1 AND state = 'intent') AS intents,
       (SELECT count(*)::int FROM turnkeeper.conversations WHERE active_turn = $1) AS locks,
       (SELECT next_seq::int FROM turnkeeper.event_sequences WHERE turn_id = $1) AS "nextEvent"`,
    [turn.turnId],
  );
  expect(left).toEqual({ openSteps: 0, intents: 0, locks: 0, nextEvent: events.length + 1 });
  expect(await unpairedCalls(database, turn)).toEqual([]);
}

/** Calls without exactly one output right at the place reserved for it, and outputs without a call. */
function unpairedCalls(database: TestDatabase, turn: TurnAt): Promise<unknown[]> {
  return database.sql(
    `SELECT c.call_id AS call, o.call_id AS output
     FROM (SELECT * FROM turnkeeper.items WHERE turn_id = $1 AND type = 'function_call') c
     FULL JOIN (SELECT * FROM turnkeeper.items WHERE turn_id = $1 AND type = 'function_call_output') o
       ON o.call_id = c.call_id AND o.position = c.output_position
     WHERE c.call_id IS NULL OR o.call_id IS NULL`,
    [turn.turnId],
  );
}
