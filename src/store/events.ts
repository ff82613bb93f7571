import type {
  EventBatch,
  EventsRead,
  EventStore,
  NewEvent,
  StepRef,
  TurnEvent,
} from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { attend, leave } from './readers.ts';
import { NOT_DELETED, turnNotFound } from './turn-rows.ts';

interface EventRow {
  seq: number;
  step_key: string | null;
  event: NewEvent;
  created_at: Date;
}

interface TurnColumns {
  state: string;
  last: number;
  attended: boolean;
}

export function eventStore(db: Database): Omit<EventStore, 'watch'> {
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
    read: (tenant, turnId, range) => readEvents(db, tenant, turnId, range),
    attend: (tenant, turnId) => attend(db, tenant, turnId),
    leave: (tenant, turnId) => leave(db, tenant, turnId),
  };
}

/** Of one read; a single event may be more. */
const MAX_BYTES = 4 * 1024 * 1024;

/** One statement, for readers look often: what it finds and whether the turn has ended belong together. */
async function readEvents(
  db: Queryable,
  tenant: string,
  turnId: string,
  { after, limit }: { after: number; limit: number },
): Promise<EventsRead> {
  const rows = await db.query<TurnColumns & (EventRow | { seq: null })>(
    `SELECT t.state, t.cancel_after_ms IS NOT NULL AS attended, coalesce(q.next_seq - 1, 0) AS last,
       e.seq, e.step_key, e.event, e.created_at
     FROM turnkeeper.turns t LEFT JOIN turnkeeper.event_sequences q ON q.turn_id = t.id LEFT JOIN LATERAL (
       SELECT * FROM (
         SELECT *, sum(octet_length(event::text)) OVER earlier AS bytes_before
         FROM (SELECT * FROM turnkeeper.events WHERE turn_id = t.id AND seq > $3 ORDER BY seq LIMIT $4) found
         WINDOW earlier AS (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
       ) measured WHERE coalesce(bytes_before, 0) < $5
     ) e ON true
     WHERE t.tenant = $1 AND t.id = $2 AND ${NOT_DELETED} ORDER BY e.seq`,
    [tenant, turnId, after, limit, MAX_BYTES],
  );
  const [first] = rows;
  if (!first) throw turnNotFound(turnId);
  const events = rows.flatMap((row) => (row.seq === null ? [] : toEvent(row)));
  const { state, last, attended } = first;
  return { events, last, sealed: state === 'sealed', attended };
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
    `WITH sequence AS (
       UPDATE turnkeeper.event_sequences SET next_seq = next_seq + cardinality($3::json[]) WHERE turn_id = $1
       RETURNING next_seq - 1 AS last
     ), inserted AS (
       INSERT INTO turnkeeper.events (turn_id, seq, step_key, event)
       SELECT $1, last - cardinality($3::json[]) + e.n, $2, e.event
       FROM sequence, unnest($3::json[]) WITH ORDINALITY AS e (event, n)
     )
     SELECT last FROM sequence`,
    [turnId, step, events.map((event) => JSON.stringify(event))],
  );
  return row?.last ?? 0;
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
