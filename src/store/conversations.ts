import type { Item, JsonObject } from '../contracts/json.ts';
import type {
  Conversation,
  ConversationItem,
  ConversationStore,
  ConversationSummary,
  RequestKey,
} from '../contracts/store.ts';
import { addItems } from './add-items.ts';
import { conversationNotFound, unlessBusy } from './conversation-lock.ts';
import type { Database, Queryable } from './database.ts';
import { markDeleted } from './deletions.ts';
import { claimKey, resourceId } from './keys.ts';
import { readPage } from './pages.ts';
import { findTurn } from './turn-rows.ts';

interface ConversationRow extends SummaryColumns {
  number: number;
  id: string;
  end_user: string | null;
  metadata: JsonObject;
  active_turn: string | null;
  branched_from_conversation: string | null;
  branched_from_turn: string | null;
  created_at: Date;
}

export interface SummaryColumns {
  summary: string | null;
  summary_through: number;
}

export interface ItemRow {
  position: number;
  turn_id: string | null;
  item: Item;
  created_at: Date;
  superseded_by?: string | null;
}

export function conversationStore(db: Database): ConversationStore {
  return {
    create: (tenant, fields, key) =>
      db.transaction((tx) => createConversation(tx, tenant, fields, key)),
    get: (tenant, id) => findConversation(db, tenant, id),
    list: (tenant, { endUser }, page) =>
      readPage(
        db,
        {
          sql: `SELECT * FROM turnkeeper.conversations
                WHERE tenant = $1 AND ($2::text IS NULL OR end_user = $2) AND deleted_at IS NULL`,
          params: [tenant, endUser ?? null],
          column: 'number',
          place: (row: ConversationRow) => row.number,
          map: toConversation,
        },
        page,
      ),
    async items(tenant, id, { turnId, superseded = false }, page) {
      await findConversation(db, tenant, id);
      if (turnId !== undefined) await findTurn(db, tenant, turnId);
      return readPage(
        db,
        {
          sql: `SELECT position, turn_id, item, created_at, superseded_by FROM turnkeeper.items
                WHERE conversation_id = $1 AND ($2::uuid IS NULL OR turn_id = $2) AND ($3 OR superseded_by IS NULL)`,
          params: [id, turnId ?? null, superseded],
          column: 'position',
          place: (row: ItemRow) => row.position,
          map: toItem,
        },
        page,
      );
    },
    addItems: (tenant, id, request) => addItems(db, tenant, id, request),
    delete: (tenant, id) =>
      unlessBusy(db, tenant, async (tx) => ({
        kind: 'deleting' as const,
        conversation: await markDeleted(tx, tenant, id),
      })),
  };
}

async function createConversation(
  tx: Queryable,
  tenant: string,
  fields: { endUser: string | null; metadata: JsonObject },
  key: RequestKey | undefined,
): Promise<Conversation> {
  const id = resourceId(tenant, 'conversations', key);
  if (await claimKey(tx, { tenant, scope: 'conversations', key, id })) {
    await tx.query(
      'INSERT INTO turnkeeper.conversations (id, tenant, end_user, metadata) VALUES ($1, $2, $3, $4)',
      [id, tenant, fields.endUser, JSON.stringify(fields.metadata)],
    );
  }
  return findConversation(tx, tenant, id);
}

export async function findConversation(
  db: Queryable,
  tenant: string,
  id: string,
): Promise<Conversation> {
  const [row] = await db.query<ConversationRow>(
    'SELECT * FROM turnkeeper.conversations WHERE tenant = $1 AND id = $2 AND deleted_at IS NULL',
    [tenant, id],
  );
  if (!row) throw conversationNotFound(id);
  return toConversation(row);
}

function toConversation(row: ConversationRow): Conversation {
  return {
    id: row.id,
    endUser: row.end_user,
    metadata: row.metadata,
    activeTurn: row.active_turn,
    summary: toSummary(row),
    branchedFrom: branchOf(row),
    createdAt: row.created_at,
  };
}

function branchOf(row: ConversationRow): Conversation['branchedFrom'] {
  const { branched_from_conversation: conversationId, branched_from_turn: turnId } = row;
  return conversationId === null || turnId === null ? null : { conversationId, turnId };
}

export function toSummary(row: SummaryColumns): ConversationSummary | null {
  return row.summary === null ? null : { text: row.summary, through: row.summary_through };
}

export function toItem(row: ItemRow): ConversationItem {
  return {
    position: row.position,
    turnId: row.turn_id,
    item: row.item,
    createdAt: row.created_at,
    ...(row.superseded_by && { supersededBy: row.superseded_by }),
  };
}
