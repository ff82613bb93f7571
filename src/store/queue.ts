import type { Item } from '../contracts/json.ts';
import type { AcceptTurn, Turn } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import { Busy } from './conversation-lock.ts';
import type { Queryable } from './database.ts';
import { toTurn, turnNotFound, type TurnRow } from './turn-rows.ts';

interface Waiting {
  /** How long the turn has once it gets the conversation. */
  timeoutMs: number;
  /** The turn that it is to end. */
  interrupts: string | null;
}

/**
 * Puts a turn at the end of the queue. Its items are kept aside; its stream is empty as long as it waits. The caller has
 * locked the conversation, as for everything here.
 */
export async function enqueueTurn(
  tx: Queryable,
  input: TurnInput,
  { items, cancelAfterMs }: AcceptTurn,
  { timeoutMs, interrupts }: Waiting,
): Promise<Turn> {
  const [row] = await tx.query<TurnRow>(
    `WITH turn AS (
       INSERT INTO turnkeeper.turns (id, tenant, conversation_id, assistant_id, assistant_version, state, status,
         workflow_input, deadline, accepted_at, cancel_after_ms, interrupts)
       VALUES ($1, $2, $3, $4, $5, 'queued', 'queued', $6, to_timestamp($7::double precision / 1000), now(), $8, $9)
       RETURNING *
     ), sequence AS (
       INSERT INTO turnkeeper.event_sequences (turn_id, next_seq) VALUES ($1, 1)
     ), entry AS (
       INSERT INTO turnkeeper.queue (id, conversation_id, turn_id, types, items, timeout_ms)
       VALUES ($1, $3, $1, $10, $11, $12)
     )
     SELECT * FROM turn`,
    [
      input.turnId,
      input.tenant,
      input.conversationId,
      input.assistant.id,
      input.assistant.version,
      JSON.stringify(input),
      input.deadlineMs,
      cancelAfterMs ?? null,
      interrupts,
      items.map(({ type }) => type),
      items.map((item) => JSON.stringify(item)),
      timeoutMs,
    ],
  );
  if (!row) throw turnNotFound(input.turnId);
  return toTurn(row);
}

/** Puts items at the end of the queue that come without a turn. */
export async function enqueueItems(
  tx: Queryable,
  conversationId: string,
  { id, items }: { id: string; items: Item[] },
): Promise<void> {
  await tx.query(
    'INSERT INTO turnkeeper.queue (id, conversation_id, types, items) VALUES ($1, $2, $3, $4)',
    [id, conversationId, items.map(({ type }) => type), items.map((item) => JSON.stringify(item))],
  );
}

export async function requireRoom(
  tx: Queryable,
  { conversationId, activeTurn }: { conversationId: string; activeTurn: string },
  maxQueued: number,
): Promise<void> {
  const [row] = await tx.query<{ queued: number }>(
    'SELECT count(*) AS queued FROM turnkeeper.queue WHERE conversation_id = $1',
    [conversationId],
  );
  if ((row?.queued ?? 0) >= maxQueued) throw new Busy(activeTurn, { full: true });
}

export async function leaveQueue(tx: Queryable, id: string): Promise<void> {
  await tx.query('DELETE FROM turnkeeper.queue WHERE id = $1', [id]);
}
