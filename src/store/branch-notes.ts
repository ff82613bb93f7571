import type { Turn } from '../contracts/store.ts';
import type { AppendedItem } from './append-items.ts';
import type { Queryable } from './database.ts';
import { UNDOABLE } from './effects.ts';
import { NOT_DELETED } from './turn-rows.ts';

/** Where a branch parts from the conversation of the turn that is edited. */
export interface Fork {
  conversationId: string;
  /** The position of the edited turn's first item. */
  position: number;
  /** That of the turn in whose place it came, where it did: what stands before that is before the branch. */
  since: number;
}

/** Null for a turn that has nothing in its conversation yet. */
export async function forkOf(
  tx: Queryable,
  { id, conversationId }: Pick<Turn, 'id' | 'conversationId'>,
): Promise<Fork | null> {
  const [row] = await tx.query<{ position: number | null; since: number | null }>(
    `WITH RECURSIVE replaced AS (
       SELECT id, origin_kind, origin_turn FROM turnkeeper.turns WHERE id = $1
       UNION ALL
       SELECT t.id, t.origin_kind, t.origin_turn FROM replaced r
       JOIN turnkeeper.turns t ON r.origin_kind <> 'edit' AND t.id = r.origin_turn
     )
     SELECT min(position) FILTER (WHERE turn_id = $1) AS position, min(position) AS since
     FROM turnkeeper.items WHERE turn_id = ANY (ARRAY(SELECT id FROM replaced))`,
    [id],
  );
  const { position = null, since = null } = row ?? {};
  return position === null || since === null ? null : { conversationId, position, since };
}

/** Where a turn parts from its conversation that ended before it had it: before the first one that came after it. */
export async function forkOfUnheard(
  tx: Queryable,
  { id, conversationId }: Pick<Turn, 'id' | 'conversationId'>,
): Promise<Fork | null> {
  // One that was made again stands behind what it takes the place of.
  const [row] = await tx.query<{ position: number }>(
    `SELECT coalesce(
       (SELECT min(i.position) FROM turnkeeper.items i JOIN turnkeeper.turns later ON later.id = i.turn_id
        WHERE later.conversation_id = t.conversation_id AND later.number > t.number
          AND coalesce(later.origin_kind, 'edit') = 'edit'),
       c.next_position) AS position
     FROM turnkeeper.turns t JOIN turnkeeper.conversations c ON c.id = t.conversation_id
     WHERE t.id = $1 AND t.state = 'sealed'`,
    [id],
  );
  return row ? { conversationId, position: row.position, since: row.position } : null;
}

/** Holds for a turn `t` of conversation $1 whose first item stands before position $2. */
const BEFORE_FORK = `t.conversation_id = $1 AND EXISTS (
  SELECT 1 FROM turnkeeper.items i WHERE i.turn_id = t.id AND i.position < $2)`;

/** Notes on effects from before the fork that came into the conversation behind it. */
export function lateNotes(
  tx: Queryable,
  { conversationId, position, since }: Fork,
): Promise<AppendedItem[]> {
  return tx.query(
    `SELECT n.item, n.created_at AS "createdAt" FROM turnkeeper.items n
     WHERE n.conversation_id = $1 AND n.position >= $3 AND n.superseded_by IS NULL AND (n.note_on IS NOT NULL
       OR EXISTS (SELECT 1 FROM turnkeeper.turns t WHERE t.id = n.turn_id AND ${BEFORE_FORK}))
     ORDER BY n.position`,
    [conversationId, since, position],
  );
}

/**
 * From then on the branch is told of effects from before the fork that are undone. A turn of an ancestor stays while it
 * is noted here, or has gone with its conversation.
 */
export async function subscribe(
  tx: Queryable,
  branchId: string,
  { conversationId, since }: Fork,
): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.branch_effects (turn_id, conversation_id)
     SELECT t.id, $3 FROM turnkeeper.turns t
     WHERE t.compensation IS DISTINCT FROM 'closed' AND ${NOT_DELETED} AND t.id = ANY (ARRAY(
       SELECT t.id FROM turnkeeper.turns t
       WHERE ${BEFORE_FORK} AND EXISTS (SELECT 1 FROM turnkeeper.steps s WHERE s.turn_id = t.id AND ${UNDOABLE})
       UNION
       SELECT b.turn_id FROM turnkeeper.branch_effects b WHERE b.conversation_id = $1))
     ORDER BY t.id FOR KEY SHARE OF t`,
    [conversationId, since, branchId],
  );
}

/**
 * Locks the branches that are told of a turn's effects. Its own conversation is locked; whoever branches off from one
 * of these holds its lock, and so has done it before or finds what it is told. Parents come before their branches.
 */
export async function lockBranches(tx: Queryable, turnId: string): Promise<string[]> {
  const locked: string[] = [];
  for (;;) {
    const more = await tx.query<{ id: string }>(
      `SELECT c.id FROM turnkeeper.branch_effects b JOIN turnkeeper.conversations c ON c.id = b.conversation_id
       WHERE b.turn_id = $1 AND c.deleted_at IS NULL AND c.id <> ALL ($2)
       ORDER BY c.number FOR NO KEY UPDATE OF c`,
      [turnId, locked],
    );
    if (more.length === 0) return locked;
    locked.push(...more.map(({ id }) => id));
  }
}
