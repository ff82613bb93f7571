import type { Item } from '../contracts/json.ts';
import type { Queryable } from './database.ts';

export interface AppendedItem {
  item: Item;
  /** Null for now. */
  createdAt: Date | null;
}

/**
 * Puts items behind everything that has a place in the conversation. They are of no step; `turnId` is null for those of no
 * turn. The caller holds the lock on the conversation.
 */
export async function appendItems(
  tx: Queryable,
  { conversationId, turnId }: { conversationId: string; turnId: string | null },
  appended: AppendedItem[],
): Promise<void> {
  const items = appended.map(({ item }) => item);
  await tx.query(
    `WITH conversation AS (
       UPDATE turnkeeper.conversations SET next_position = next_position + cardinality($3::text[]) WHERE id = $1
       RETURNING next_position - cardinality($3::text[]) AS first
     )
     INSERT INTO turnkeeper.items (conversation_id, position, turn_id, type, call_id, item, created_at)
     SELECT $1, c.first + i.n - 1, $2, i.type, i.call_id, i.item, coalesce(i.created_at, now())
     FROM conversation c, unnest($3::text[], $4::text[], $5::json[], $6::timestamptz[])
       WITH ORDINALITY AS i (type, call_id, item, created_at, n)`,
    [
      conversationId,
      turnId,
      items.map(({ type }) => type),
      items.map(({ call_id: callId }) => (callId === undefined ? null : String(callId))),
      items.map((item) => JSON.stringify(item)),
      appended.map(({ createdAt }) => createdAt),
    ],
  );
}
