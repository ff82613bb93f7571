import { TurnkeeperError } from '../contracts/errors.ts';
import type { Accepted, Turn, TryAgain } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import { insertTurn, turnInput } from './accept.ts';
import { appendItems } from './append-items.ts';
import { findAssistant } from './assistants.ts';
import { Busy, lockConversation, unlessBusy } from './conversation-lock.ts';
import { itemsAfresh, itemsThatHold, supersede } from './copies.ts';
import type { Database, Queryable } from './database.ts';
import { claimKey, resourceId } from './keys.ts';
import {
  carriedOver,
  findTurnWithInput,
  noteOrigin,
  toTurn,
  turnNotFound,
  type TurnRow,
} from './turn-rows.ts';
import { askForCompensation } from './undo.ts';

/** A turn that takes the place of the last one of its conversation: key, lock, turn and copied items, or nothing. */
export function tryAgain(db: Database, tenant: string, request: TryAgain): Promise<Accepted> {
  return unlessBusy(db, tenant, (tx) => accept(tx, tenant, request));
}

async function accept(tx: Queryable, tenant: string, request: TryAgain): Promise<Accepted> {
  const { kind, key } = request;
  const scope = `${kind}:${request.turnId}`;
  const turnId = resourceId(tenant, scope, key);
  if (!(await claimKey(tx, { tenant, scope, key, id: turnId }))) {
    return { kind: 'repeated', ...(await findTurnWithInput(tx, tenant, turnId)) };
  }
  const { turn, nowMs } = await lockFree(tx, tenant, request.turnId);
  await requireLast(tx, turn, kind);
  const assistant = await findAssistant(tx, tenant, turn.assistantId, turn.assistantVersion);
  const fresh = turnInput(tenant, turnId, turn.conversationId, assistant, nowMs);
  if (request.compensate) await undoWithRetried(tx, tenant, turn.id);
  const items = await (kind === 'retry' ? itemsThatHold : itemsAfresh)(tx, turn.id);
  if (items.length === 0) throw notRetryable(turn, 'has nothing to begin with');
  const input = kind === 'retry' ? await withPassages(tx, turn.id, fresh) : fresh;
  await insertTurn(tx, input, { items: [], ...(await carriedOver(tx, turn.id)) });
  await supersede(tx, turn.id, turnId);
  await appendItems(tx, { conversationIds: [turn.conversationId], turnId }, items);
  if (!input.retrieve) await copyPassages(tx, turn.id, turnId);
  return { kind: 'accepted', turn: await noteOrigin(tx, turnId, { kind, turnId: turn.id }), input };
}

/** The turn, once its conversation is locked and held by none. */
async function lockFree(
  tx: Queryable,
  tenant: string,
  turnId: string,
): Promise<{ turn: Turn; nowMs: number }> {
  const { turn: found } = await findTurnWithInput(tx, tenant, turnId);
  const { activeTurn, nowMs } = await lockConversation(tx, tenant, found.conversationId);
  if (activeTurn !== null) throw new Busy(activeTurn, { full: false });
  const [row] = await tx.query<TurnRow>(
    'SELECT * FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE',
    [tenant, turnId],
  );
  if (!row) throw turnNotFound(turnId);
  return { turn: toTurn(row), nowMs };
}

async function requireLast(tx: Queryable, turn: Turn, kind: TryAgain['kind']): Promise<void> {
  if (turn.state !== 'sealed') throw notRetryable(turn, 'has not ended');
  if (kind === 'retry' && turn.status === 'completed') throw notRetryable(turn, 'has completed');
  if (await isFollowed(tx, turn)) throw notRetryable(turn, 'is not the last of its conversation');
  if (kind === 'retry' && turn.compensation === 'requested') {
    const message = `What turn ${turn.id} did is being undone.`;
    throw new TurnkeeperError('compensation_running', message, { turnId: turn.id });
  }
}

/** By a later turn that has items, or by items that were added without one. */
async function isFollowed(tx: Queryable, { id, conversationId }: Turn): Promise<boolean> {
  const later = await tx.query(
    `SELECT 1 FROM turnkeeper.turns later WHERE later.conversation_id = $1
       AND later.number > (SELECT number FROM turnkeeper.turns WHERE id = $2)
       AND EXISTS (SELECT 1 FROM turnkeeper.items i WHERE i.turn_id = later.id)
     UNION ALL
     SELECT 1 FROM turnkeeper.items added
     WHERE added.conversation_id = $1 AND added.turn_id IS NULL AND added.note_on IS NULL
       AND added.position > (SELECT min(position) FROM turnkeeper.items WHERE turn_id = $2)
     LIMIT 1`,
    [conversationId, id],
  );
  return later.length > 0;
}

/** What a retry reused is an effect of the turn that it stood in for. */
async function undoWithRetried(tx: Queryable, tenant: string, turnId: string): Promise<void> {
  const turns = await tx.query<{ id: string }>(
    `WITH RECURSIVE retried AS (
       SELECT id, origin_kind, origin_turn FROM turnkeeper.turns WHERE tenant = $1 AND id = $2
       UNION ALL
       SELECT t.id, t.origin_kind, t.origin_turn FROM retried r
       JOIN turnkeeper.turns t ON r.origin_kind = 'retry' AND t.id = r.origin_turn
     )
     SELECT id FROM retried ORDER BY id`,
    [tenant, turnId],
  );
  for (const { id } of turns) await askForCompensation(tx, tenant, id);
}

export function notRetryable({ id, status }: Turn, why: string): TurnkeeperError {
  const details = { turnId: id, status };
  return new TurnkeeperError('turn_not_retryable', `Turn ${id} ${why}.`, details);
}

/** Nothing is searched again that was found. */
async function withPassages(tx: Queryable, turnId: string, input: TurnInput): Promise<TurnInput> {
  const [row] = await tx.query<{ retrieve: boolean }>(
    `SELECT (workflow_input ->> 'retrieve')::boolean AND NOT EXISTS (
       SELECT 1 FROM turnkeeper.steps s
       WHERE s.turn_id = t.id AND s.kind = 'retrieve' AND s.status = 'completed') AS retrieve
     FROM turnkeeper.turns t WHERE id = $1`,
    [turnId],
  );
  return { ...input, retrieve: input.retrieve && (row?.retrieve ?? false) };
}

async function copyPassages(tx: Queryable, from: string, to: string): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.passages
       (turn_id, rank, chunk_id, document_id, document_name, start_char, end_char, body, score)
     SELECT $2, rank, chunk_id, document_id, document_name, start_char, end_char, body, score
     FROM turnkeeper.passages WHERE turn_id = $1`,
    [from, to],
  );
}
