import type { AssistantDefinition } from '../contracts/assistant.ts';
import type { ConversationItem, SummaryStore } from '../contracts/store.ts';
import { toItem, toSummary, type ItemRow, type SummaryColumns } from './conversations.ts';
import type { Database, Queryable } from './database.ts';

/** Holds for a conversation with items that are to be in its summary and are not. */
export const OUTGROWN = 'summary_wanted > summary_through';

const MAX_ITEMS = 500;
/** One item may be larger: a summary never stops at it. */
const MAX_BYTES = 8_388_608;

interface WorkRow extends SummaryColumns {
  end_user: string | null;
  definition: AssistantDefinition;
  summary_wanted: number;
}

export function summaryStore(db: Database): SummaryStore {
  return {
    async work(tenant, conversationId) {
      const [row] = await db.query<WorkRow>(
        `UPDATE turnkeeper.conversations SET summary_wanted_at = now() + interval '1 hour'
         FROM turnkeeper.assistant_versions v
         WHERE tenant = $1 AND id = $2 AND ${OUTGROWN}
           AND v.assistant_id = summary_assistant AND v.version = summary_assistant_version
         RETURNING end_user, v.definition, summary, summary_through, summary_wanted`,
        [tenant, conversationId],
      );
      const items = row ? await itemsToSummarize(db, conversationId, row) : [];
      if (!row || items.length === 0) return null;
      const { end_user: endUser, definition } = row;
      return { definition, endUser, summary: toSummary(row), items };
    },
    async extend(tenant, conversationId, { after, summary }) {
      const [row] = await db.query<{ more: boolean }>(
        `UPDATE turnkeeper.conversations SET summary = $4, summary_through = $5
         WHERE tenant = $1 AND id = $2 AND summary_through = $3 AND $5 > $3 AND $5 <= summary_wanted
         RETURNING ${OUTGROWN} AS more`,
        [tenant, conversationId, after, summary.text, summary.through],
      );
      return row ?? null;
    },
  };
}

/** Items that were asked for are there for good: whenever they are read, they are the same. */
async function itemsToSummarize(
  db: Queryable,
  conversationId: string,
  { summary_through: after, summary_wanted: through }: WorkRow,
): Promise<ConversationItem[]> {
  const rows = await db.query<ItemRow>(
    `SELECT position, turn_id, item, created_at FROM (
       SELECT *, sum(octet_length(item::text)) OVER (ORDER BY position) - octet_length(item::text) AS bytes_before
       FROM (SELECT * FROM turnkeeper.items
             WHERE conversation_id = $1 AND position > $2 AND position <= $3 AND superseded_by IS NULL
             ORDER BY position LIMIT $4) AS first
     ) AS measured WHERE bytes_before < $5 ORDER BY position`,
    [conversationId, after, through, MAX_ITEMS, MAX_BYTES],
  );
  return rows.map(toItem);
}

/** Notes that items up to this position are to be summarized, and which assistant asks. Never takes a wish back. */
export async function askForSummary(tx: Queryable, turnId: string, through: number): Promise<void> {
  await tx.query(
    `UPDATE turnkeeper.conversations c SET summary_wanted = $2, summary_wanted_at = now(),
       summary_assistant = t.assistant_id, summary_assistant_version = t.assistant_version
     FROM turnkeeper.turns t
     WHERE t.id = $1 AND c.id = t.conversation_id AND greatest(summary_wanted, summary_through) < $2`,
    [turnId, through],
  );
}
