import type { EditTurn, Started, Turn } from '../contracts/store.ts';
import { insertTurn, turnInput } from './accept.ts';
import { notRetryable } from './again.ts';
import { appendItems } from './append-items.ts';
import { findAssistant } from './assistants.ts';
import { forkOf, forkOfUnheard, lateNotes, subscribe, type Fork } from './branch-notes.ts';
import { lockConversation } from './conversation-lock.ts';
import type { Database, Queryable } from './database.ts';
import { claimKey, resourceId } from './keys.ts';
import { carriedOver, findTurn, findTurnWithInput, noteOrigin } from './turn-rows.ts';

/** A conversation that goes on from before a turn, with another input: key, conversation, items and turn, or nothing. */
export function editTurn(db: Database, tenant: string, request: EditTurn): Promise<Started> {
  return db.transaction((tx) => branchOff(tx, tenant, request));
}

async function branchOff(
  tx: Queryable,
  tenant: string,
  { turnId: edited, items, key }: EditTurn,
): Promise<Started> {
  const scope = `edit:${edited}`;
  const turnId = resourceId(tenant, scope, key);
  if (!(await claimKey(tx, { tenant, scope, key, id: turnId }))) {
    return { kind: 'repeated', ...(await findTurnWithInput(tx, tenant, turnId)) };
  }
  const turn = await findTurn(tx, tenant, edited);
  // It stays whole until it is copied: a deletion waits, or has gone before.
  const { nowMs } = await lockConversation(tx, tenant, turn.conversationId);
  const fork = (await forkOf(tx, turn)) ?? (await forkOfUnheard(tx, turn));
  if (!fork) throw notRetryable(turn, 'waits in the queue: cancel it, then it can be edited');
  const conversationId = resourceId(tenant, `branches:${edited}`, key);
  await copyConversation(tx, turn, conversationId, fork.position);
  await tellEffects(tx, conversationId, fork);
  const assistant = await findAssistant(tx, tenant, turn.assistantId, turn.assistantVersion);
  const input = turnInput(tenant, turnId, conversationId, assistant, nowMs);
  await insertTurn(tx, input, { items, ...(await carriedOver(tx, edited)) });
  return {
    kind: 'accepted',
    turn: await noteOrigin(tx, turnId, { kind: 'edit', turnId: edited }),
    input,
  };
}

/** Of what was done before the fork, undone or not: now and later. */
async function tellEffects(tx: Queryable, branchId: string, fork: Fork): Promise<void> {
  const notes = await lateNotes(tx, fork);
  await appendItems(tx, { conversationIds: [branchId], turnId: null }, notes);
  await subscribe(tx, branchId, fork);
}

/** Items keep their positions, and so the summary what it is about: it comes along unless it is about later ones too. */
async function copyConversation(
  tx: Queryable,
  turn: Turn,
  branchId: string,
  fork: number,
): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.conversations (id, tenant, end_user, metadata, next_position, summary, summary_through,
       branched_from_conversation, branched_from_turn)
     SELECT $2, tenant, end_user, metadata, $3, CASE WHEN summary_through < $3 THEN summary END,
       CASE WHEN summary_through < $3 THEN summary_through ELSE 0 END, id, $4
     FROM turnkeeper.conversations WHERE id = $1`,
    [turn.conversationId, branchId, fork, turn.id],
  );
  await tx.query(
    `INSERT INTO turnkeeper.items (conversation_id, position, type, call_id, item, created_at)
     SELECT $2, position, type, call_id, item, created_at FROM turnkeeper.items
     WHERE conversation_id = $1 AND position < $3 AND superseded_by IS NULL`,
    [turn.conversationId, branchId, fork],
  );
}
