import { TurnkeeperError } from '../contracts/errors.ts';
import type { DeletedConversation, RowsLeft } from '../contracts/store.ts';
import { Busy, lockConversation } from './conversation-lock.ts';
import type { Database, Queryable } from './database.ts';

/**
 * Holds for turns whose workflow may still run. A worker has been there since a turn was sealed when its events are
 * folded; within the hour after that its workflow has closed, or has been ended from outside.
 */
const MAY_RUN = "(folded_at IS NULL OR folded_at > now() - interval '1 hour')";
const TURNS = 'SELECT id FROM turnkeeper.turns WHERE conversation_id = $1::uuid';
const OF_TURNS = `turn_id IN (${TURNS})`;

/** What a conversation has, referring rows before those they refer to. */
const ROWS: readonly [table: string, condition: string][] = [
  ['data_keys', 'conversation_id = $1::uuid'],
  ['file_parts', `file_id IN (SELECT id FROM turnkeeper.files WHERE ${OF_TURNS})`],
  ['files', OF_TURNS],
  ['events', OF_TURNS],
  ['event_sequences', OF_TURNS],
  ['passages', OF_TURNS],
  // The others are those whose provider is still to be told to stop.
  ['model_calls', `stop_at IS NULL AND ${OF_TURNS}`],
  ['actions', OF_TURNS],
  ['steps', OF_TURNS],
  ['branch_effects', 'conversation_id = $1::uuid'],
  ['branch_effects', OF_TURNS],
  ['queue', 'conversation_id = $1::uuid'],
  ['items', 'conversation_id = $1::uuid'],
  ['idempotency_keys', `resource_id IN (SELECT $1::uuid UNION ALL ${TURNS})`],
  // Keys of items that were added are held by no row of theirs.
  ['idempotency_keys', `tenant = $2 AND scope = 'items:' || $1::uuid`],
];

/**
 * From then on nobody knows the conversation, and what was said in it cannot be read in Temporal's history. Its rows are
 * deleted after that.
 */
export async function markDeleted(
  tx: Queryable,
  tenant: string,
  conversationId: string,
): Promise<DeletedConversation> {
  const { activeTurn } = await lockConversation(tx, tenant, conversationId);
  if (activeTurn !== null) throw new Busy(activeTurn, { full: false });
  const [undoing] = await tx.query<{ id: string }>(
    `SELECT id FROM turnkeeper.turns WHERE conversation_id = $1 AND compensation = 'requested' LIMIT 1`,
    [conversationId],
  );
  if (undoing) throw compensationRunning(undoing.id);
  await tx.query('DELETE FROM turnkeeper.data_keys WHERE conversation_id = $1', [conversationId]);
  const [row] = await tx.query<{ workflows: string[] }>(
    `UPDATE turnkeeper.conversations SET deleted_at = clock_timestamp(), deletion_tried_at = clock_timestamp(),
       end_user = NULL, metadata = '{}',
       summary = NULL, summary_wanted = summary_through, ending = ARRAY(
         SELECT 'summary:' || $1::uuid
         UNION ALL SELECT id::text FROM turnkeeper.turns
         WHERE conversation_id = $1::uuid AND ${MAY_RUN}
         UNION ALL SELECT 'compensate:' || id FROM turnkeeper.turns
         WHERE conversation_id = $1::uuid AND compensation IS NOT NULL)
     WHERE id = $1::uuid RETURNING ending AS workflows`,
    [conversationId],
  );
  return { tenant, conversationId, workflows: row?.workflows ?? [] };
}

/** Conversations that were marked and last handed out here so long ago. */
export function deletedConversations(
  db: Queryable,
  olderThanMs: number,
  limit: number,
): Promise<DeletedConversation[]> {
  // One that waits for something is behind the others next time.
  return db.query(
    `UPDATE turnkeeper.conversations SET deletion_tried_at = clock_timestamp() WHERE id = ANY (ARRAY(
       SELECT id FROM turnkeeper.conversations
       WHERE deleted_at IS NOT NULL AND deletion_tried_at < clock_timestamp() - $1 * interval '1 millisecond'
       ORDER BY deletion_tried_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED))
     RETURNING tenant, id AS "conversationId", coalesce(ending, '{}') AS workflows`,
    [olderThanMs, limit],
  );
}

/** None of its workflows runs any more. */
export async function markEnded(db: Queryable, conversationId: string): Promise<void> {
  await db.query(
    'UPDATE turnkeeper.conversations SET ending = NULL WHERE id = $1 AND deleted_at IS NOT NULL',
    [conversationId],
  );
}

/** Two at once wait for each other. */
export function removeRows(
  db: Database,
  { tenant, conversationId }: { tenant: string; conversationId: string },
  limit: number,
): Promise<RowsLeft> {
  return db.transaction(async (tx) => {
    const [marked] = await tx.query(
      `SELECT 1 FROM turnkeeper.conversations
       WHERE id = $1 AND tenant = $2 AND deleted_at IS NOT NULL FOR NO KEY UPDATE`,
      [conversationId, tenant],
    );
    if (!marked) return 'none';
    let left = limit;
    for (const [table, condition] of ROWS) {
      const params = condition.includes('$2') ? [conversationId, tenant] : [conversationId];
      left -= await removeSome(tx, table, condition, params, left);
      if (left <= 0) return 'some';
    }
    left -= await removeTurns(tx, conversationId, left);
    if (left <= 0) return 'some';
    const removed = await tx.query(
      `DELETE FROM turnkeeper.conversations
       WHERE id = $1::uuid AND ending IS NULL AND NOT EXISTS (${TURNS}) RETURNING 1`,
      [conversationId],
    );
    return removed.length > 0 ? 'none' : 'waiting';
  });
}

async function removeSome(
  tx: Queryable,
  table: string,
  condition: string,
  params: unknown[],
  limit: number,
): Promise<number> {
  const rows = await tx.query(
    `DELETE FROM turnkeeper.${table} WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM turnkeeper.${table} WHERE ${condition} LIMIT $${params.length + 1}
     )) RETURNING 1`,
    [...params, limit],
  );
  return rows.length;
}

/** A turn may refer to the one that came after it. Those that stay for a while say nothing. */
async function removeTurns(tx: Queryable, conversationId: string, limit: number): Promise<number> {
  const unlinked = await tx.query(
    `UPDATE turnkeeper.turns SET next_turn = NULL, message = NULL WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM turnkeeper.turns
       WHERE conversation_id = $1::uuid AND (next_turn IS NOT NULL OR message IS NOT NULL) LIMIT $2
     )) RETURNING 1`,
    [conversationId, limit],
  );
  const left = limit - unlinked.length;
  if (left <= 0) return limit;
  const called = 'SELECT 1 FROM turnkeeper.model_calls m WHERE m.turn_id = turns.id';
  const condition = `conversation_id = $1::uuid AND NOT EXISTS (${called})`;
  const removed = await removeSome(tx, 'turns', condition, [conversationId], left);
  return unlinked.length + removed;
}

function compensationRunning(turnId: string): TurnkeeperError {
  const message = `The effects of turn ${turnId} are being undone.`;
  return new TurnkeeperError('compensation_running', message, { turnId });
}
