import type { Item } from '../contracts/json.ts';
import type { TurnInput } from '../contracts/turn.ts';
import type { Queryable } from './database.ts';
import { appendInTransaction } from './events.ts';
import { startedEvent } from './turn-events.ts';

/** Releases the conversation. Answers whether anything waits for it. */
export async function release(tx: Queryable, conversationId: string): Promise<boolean> {
  const [row] = await tx.query<{ awaited: boolean }>(
    `WITH conversation AS (
       UPDATE turnkeeper.conversations SET active_turn = NULL WHERE id = $1
     )
     SELECT EXISTS (SELECT 1 FROM turnkeeper.queue WHERE conversation_id = $1) AS awaited`,
    [conversationId],
  );
  return row?.awaited ?? false;
}

/** The turn that had the conversation; null when none did. */
export interface EndedTurn {
  turnId: string;
  reason: string | null;
}

interface Dispatched {
  /** The turn that has the conversation now, to be started. */
  next: TurnInput | null;
  /** Turns before it that have waited for too long, to be sealed with it: some; a sweep comes to the others. */
  late: string[];
}

/** So that no transaction that ends a turn is long. */
const LATE_AT_ONCE = 20;

interface Entry {
  id: string;
  turn_id: string | null;
  timeout_ms: number;
  workflow_input: TurnInput;
  interrupts: string | null;
  late: boolean;
  now_ms: number;
}

/**
 * Hands a released conversation to the first turn that still wants it. Items that waited before it, and then its own, come
 * into the conversation; its time begins. All behind what `ended` has left in the conversation.
 */
export async function dispatch(
  tx: Queryable,
  conversationId: string,
  ended: EndedTurn | null,
): Promise<Dispatched> {
  const [, entries] = await Promise.all([
    removeStale(tx, conversationId),
    readQueue(tx, conversationId),
  ]);
  const next = entries.find(({ turn_id: turn, late }) => turn !== null && !late);
  const leaving = next ? entries.slice(0, entries.indexOf(next) + 1) : entries;
  const isLate = ({ turn_id: turn, late }: Entry) => turn !== null && late;
  const input = next ? await beginTurn(tx, next, ended) : null;
  if (next && ended) await noteNext(tx, ended.turnId, next.id);
  const moved = leaving.filter((entry) => !isLate(entry)).map(({ id }) => id);
  await moveItems(tx, conversationId, moved, next?.id ?? null);
  const late = leaving.filter(isLate).map(({ id }) => id);
  return { next: input, late: late.slice(0, LATE_AT_ONCE) };
}

/** For whoever ends the turn once more: it starts the next one once more. */
async function noteNext(tx: Queryable, turnId: string, next: string): Promise<void> {
  await tx.query('UPDATE turnkeeper.turns SET next_turn = $2 WHERE id = $1', [turnId, next]);
}

/** Entries of turns that a worker of an earlier release has handed the conversation to, without their input. */
async function removeStale(tx: Queryable, conversationId: string): Promise<void> {
  await tx.query(
    `DELETE FROM turnkeeper.queue q USING turnkeeper.turns t
     WHERE q.conversation_id = $1 AND t.id = q.turn_id AND t.state <> 'queued'`,
    [conversationId],
  );
}

/** Without the items, which may be large. */
function readQueue(tx: Queryable, conversationId: string): Promise<Entry[]> {
  return tx.query(
    `SELECT q.id, q.turn_id, q.timeout_ms, t.workflow_input, t.interrupts,
       t.deadline <= clock_timestamp() AS late, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
     FROM turnkeeper.queue q LEFT JOIN turnkeeper.turns t ON t.id = q.turn_id
     WHERE q.conversation_id = $1 ORDER BY q.place`,
    [conversationId],
  );
}

async function beginTurn(
  tx: Queryable,
  { id, workflow_input, timeout_ms: timeoutMs, now_ms: nowMs, interrupts: wanted }: Entry,
  ended: EndedTurn | null,
): Promise<TurnInput> {
  const interrupts = ended?.turnId === wanted && ended.reason === 'interrupted' ? wanted : null;
  const input = { ...workflow_input, deadlineMs: nowMs + timeoutMs };
  await tx.query(
    `UPDATE turnkeeper.turns SET state = 'accepted', status = 'in_progress', accepted_at = now(),
       deadline = to_timestamp($2::double precision / 1000), workflow_input = $3, interrupts = $4 WHERE id = $1`,
    [id, input.deadlineMs, JSON.stringify(input), interrupts],
  );
  if (interrupts !== null) await putFirst(tx, id, INTERRUPTED);
  await appendInTransaction(tx, id, null, [startedEvent(input, interrupts)]);
  return input;
}

/** Tells the model why the answer before it ends where it does. */
const INTERRUPTED: Item = {
  type: 'message',
  role: 'developer',
  content: [
    {
      type: 'input_text',
      text: 'The previous answer was interrupted by the following message and may be incomplete.',
    },
  ],
};

async function putFirst(tx: Queryable, id: string, item: Item): Promise<void> {
  await tx.query(
    'UPDATE turnkeeper.queue SET types = $2::text || types, items = $3::json || items WHERE id = $1',
    [id, item.type, JSON.stringify(item)],
  );
}

/** The items of these entries come into the conversation, in order, and the turn among them gets it. */
async function moveItems(
  tx: Queryable,
  conversationId: string,
  ids: string[],
  turnId: string | null,
): Promise<void> {
  await tx.query(
    `WITH entry AS (
       DELETE FROM turnkeeper.queue WHERE id = ANY ($2) RETURNING place, turn_id, types, items
     ), item AS (
       SELECT e.turn_id, i.type, i.item, row_number() OVER (ORDER BY e.place, i.n) AS n
       FROM entry e, unnest(e.types, e.items) WITH ORDINALITY AS i (type, item, n)
     ), conversation AS (
       UPDATE turnkeeper.conversations
       SET active_turn = $3, next_position = next_position + (SELECT count(*) FROM item) WHERE id = $1
       RETURNING next_position - (SELECT count(*) FROM item) AS first
     )
     INSERT INTO turnkeeper.items (conversation_id, position, turn_id, type, item)
     SELECT $1, c.first + i.n - 1, i.turn_id, i.type, i.item FROM item i, conversation c`,
    [conversationId, ids, turnId],
  );
}
