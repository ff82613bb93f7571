import type { Queryable } from './database.ts';
import { sealTurn } from './seal.ts';

/**
 * In favour of turn `by`: the turn that holds the conversation is marked, to be cancelled after the commit, and turns
 * that wait are sealed. Of turns that were to interrupt the same one only the last is left so.
 */
export async function interrupt(
  tx: Queryable,
  tenant: string,
  { conversationId, activeTurn, by }: { conversationId: string; activeTurn: string; by: string },
): Promise<void> {
  const ended = await tx.query<{ id: string; state: string }>(
    `UPDATE turnkeeper.turns SET interrupted_by = $3, cancelling_at = coalesce(cancelling_at, now())
     WHERE id = ANY (ARRAY(
       SELECT id FROM turnkeeper.turns
       WHERE id = ANY ($2::uuid || ARRAY(
         SELECT turn_id FROM turnkeeper.queue WHERE conversation_id = $1 AND turn_id IS NOT NULL))
       ORDER BY id FOR NO KEY UPDATE))
     RETURNING id, state`,
    [conversationId, activeTurn, by],
  );
  const waiting = ended.filter(({ state }) => state === 'queued').map(({ id }) => id);
  for (const id of waiting.sort()) await sealTurn(tx, tenant, id, { status: 'cancelled' });
}
