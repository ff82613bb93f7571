import type { Item } from '../contracts/json.ts';
import type { Queryable } from './database.ts';

export interface AppendedItem {
  item: Item;
  /** Null for now. */
  createdAt: Date | null;
}

interface Place {
  /** The same items go into each of these. */
  conversationIds: string[];
  turnId: string | null;
  /** The turn of another conversation whose effects they tell of. */
  noteOn?: string;
}

/**
 * Puts items behind everything that has a place in the conversations. They are of no step; `turnId` is null for those of no
 * turn. The caller holds the locks on these.
 */
export async function appendItems(
  tx: Queryable,
  { conversationIds, turnId, noteOn }: Place,
  appended: AppendedItem[],
): Promise<void> {
  const items = appended.map(({ item }) => item);
  await tx.query(
    `WITH conversation AS (
       UPDATE turnkeeper.conversations SET next_position = next_position + cardinality($3::text[]) WHERE id = ANY ($1)
       RETURNING id, next_position - cardinality($3::text[]) AS first
     )
     INSERT INTO turnkeeper.items (conversation_id, position, turn_id, type, call_id, item, created_at, note_on)
     SELECT c.id, c.first + i.n - 1, $2, i.type, i.call_id, i.item, coalesce(i.created_at, now()), $7
     FROM conversation c, unnest($3::text[], $4::text[], $5::json[], $6::timestamptz[])
       WITH ORDINALITY AS i (type, call_id, item, created_at, n)`,
    [
      conversationIds,
      turnId,
      items.map(({ type }) => type),
      items.map(({ call_id: callId }) => (callId === undefined ? null : String(callId))),
      items.map((item) => JSON.stringify(item)),
      appended.map(({ createdAt }) => createdAt),
      noteOn ?? null,
    ],
  );
}
