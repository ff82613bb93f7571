import type { EventBatch, EventStore, NewEvent, StepRef, TurnEvent } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { findTurn } from './turn-rows.ts';

interface EventRow {
  seq: number;
  step_key: string | null;
  event: NewEvent;
  created_at: Date;
}

export function eventStore(db: Database): EventStore {
  return {
    append: (batches) => appendBatches(db, batches),
    async appended({ tenant, turnId, step, fence }) {
      const [row] = await db.query<{ appended: number }>(
        `SELECT s.appended FROM turnkeeper.steps s JOIN turnkeeper.turns t ON t.id = s.turn_id
         WHERE t.tenant = $1 AND s.turn_id = $2 AND s.key = $3
           AND s.fence_ms = $4 AND s.fence_attempt = $5 AND s.status = 'open'`,
        [tenant, turnId, step, fence.scheduledMs, fence.attempt],
      );
      return row?.appended ?? null;
    },
    async read(tenant, turnId, { after, limit }) {
      const rows = await db.query<EventRow>(
        `SELECT e.seq, e.step_key, e.event, e.created_at
         FROM turnkeeper.events e JOIN turnkeeper.turns t ON t.id = e.turn_id
         WHERE t.tenant = $1 AND e.turn_id = $2 AND e.seq > $3 ORDER BY e.seq LIMIT $4`,
        [tenant, turnId, after, limit],
      );
      if (rows.length === 0) await findTurn(db, tenant, turnId);
      return rows.map(toEvent);
    },
  };
}

async function appendBatches(db: Queryable, batches: EventBatch[]): Promise<StepRef[]> {
  const entries = batches.flatMap((batch, index) =>
    batch.events.map((event) => ({ batch: index + 1, event: JSON.stringify(event) })),
  );
  const refused = await db.query<{ batch: number }>(
    'SELECT batch FROM turnkeeper.append_events($1, $2, $3, $4, $5, $6, $7, $8) AS batch',
    [
      batches.map(({ ref }) => ref.tenant),
      batches.map(({ ref }) => ref.turnId),
      batches.map(({ ref }) => ref.step),
      batches.map(({ ref }) => ref.fence.scheduledMs),
      batches.map(({ ref }) => ref.fence.attempt),
      batches.map(({ position }) => position),
      entries.map((entry) => entry.batch),
      entries.map((entry) => entry.event),
    ],
  );
  return refused.flatMap(({ batch }) => batches[batch - 1]?.ref ?? []);
}

/** Appends within a transaction that holds the locks on turn and step. Answers the number of the last event. */
export async function appendInTransaction(
  tx: Queryable,
  turnId: string,
  step: string | null,
  events: NewEvent[],
): Promise<number> {
  const [row] = await tx.query<{ last: number }>(
    `UPDATE turnkeeper.event_sequences SET next_seq = next_seq + $2 WHERE turn_id = $1
     RETURNING next_seq - 1 AS last`,
    [turnId, events.length],
  );
  const last = row?.last ?? 0;
  if (events.length > 0) {
    await tx.query(
      `INSERT INTO turnkeeper.events (turn_id, seq, step_key, event)
       SELECT $1, $2::bigint + e.n, $3, e.event FROM unnest($4::json[]) WITH ORDINALITY AS e (event, n)`,
      [turnId, last - events.length, step, events.map((event) => JSON.stringify(event))],
    );
  }
  return last;
}

/** Events of one step after a number, in order. */
export async function readStepEvents(
  db: Queryable,
  turnId: string,
  step: string,
  after: number,
): Promise<NewEvent[]> {
  const rows = await db.query<{ event: NewEvent }>(
    'SELECT event FROM turnkeeper.events WHERE turn_id = $1 AND step_key = $2 AND seq > $3 ORDER BY seq',
    [turnId, step, after],
  );
  return rows.map((row) => row.event);
}

function toEvent(row: EventRow): TurnEvent {
  return {
    number: row.seq,
    step: row.step_key,
    event: row.event,
    createdAt: row.created_at,
  };
}
