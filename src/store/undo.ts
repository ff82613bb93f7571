import type { AssistantDefinition } from '../contracts/assistant.ts';
import { RESTORED, type Turn, type TurnState } from '../contracts/store.ts';
import type { FinalStatus } from '../contracts/turn.ts';
import { lockBranches } from './branch-notes.ts';
import type { Queryable } from './database.ts';
import { noteEffects, UNDOABLE } from './effects.ts';
import { findTurn, turnNotFound } from './turn-rows.ts';

/** Notes that the effects of a turn are to be undone as it is sealed. The caller holds the lock on the turn. */
export async function wantCompensation(tx: Queryable, turnId: string): Promise<void> {
  await tx.query('UPDATE turnkeeper.turns SET compensate_wanted = true WHERE id = $1', [turnId]);
}

/** Asks for the effects of a turn to be undone: now when it has ended, else as it is sealed. */
export async function askForCompensation(
  tx: Queryable,
  tenant: string,
  turnId: string,
): Promise<Turn> {
  const branches = await lockWithBranches(tx, tenant, turnId);
  const [turn] = await tx.query<{ state: TurnState }>(
    'SELECT state FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE',
    [tenant, turnId],
  );
  if (!turn) throw turnNotFound(turnId);
  if (turn.state !== 'sealed') await wantCompensation(tx, turnId);
  else if (await requestCompensation(tx, turnId))
    await noteEffects(tx, turnId, ['undoing'], branches);
  return findTurn(tx, tenant, turnId);
}

/**
 * Requests the compensation of a turn that is being sealed, where its end, its assistant or somebody wants it, and tells
 * the conversation of effects that are not what its items say. Answers whether there is anything to undo.
 */
export async function sealEffects(
  tx: Queryable,
  turnId: string,
  { status, reason, wanted }: { status: FinalStatus; reason: string | null; wanted: boolean },
): Promise<boolean> {
  const failed = status === 'failed' && reason !== RESTORED;
  const toBeUndone = wanted || failed || (await isUndoneAfter(tx, turnId, status));
  const requested = toBeUndone && (await requestCompensation(tx, turnId));
  // The model of a turn that completed was told what nobody knows, and has answered.
  if (status !== 'completed') await noteEffects(tx, turnId, ['undoing', 'unknown']);
  else if (requested) await noteEffects(tx, turnId, ['undoing']);
  return requested;
}

/** Locks the conversation of a turn: before the turn, as everywhere. */
export async function lockConversationOf(
  tx: Queryable,
  tenant: string,
  turnId: string,
): Promise<void> {
  await tx.query(
    `SELECT 1 FROM turnkeeper.conversations
     WHERE id = (SELECT conversation_id FROM turnkeeper.turns WHERE tenant = $1 AND id = $2) FOR NO KEY UPDATE`,
    [tenant, turnId],
  );
}

/** And the branches that begin with its items, once it has ended; answers these. */
export async function lockWithBranches(
  tx: Queryable,
  tenant: string,
  turnId: string,
): Promise<string[]> {
  await lockConversationOf(tx, tenant, turnId);
  return lockBranches(tx, turnId);
}

async function isUndoneAfter(tx: Queryable, turnId: string, status: FinalStatus): Promise<boolean> {
  if (status !== 'cancelled' && status !== 'expired') return false;
  const [row] = await tx.query<{ definition: AssistantDefinition }>(
    `SELECT v.definition FROM turnkeeper.turns t
     JOIN turnkeeper.assistant_versions v ON v.assistant_id = t.assistant_id AND v.version = t.assistant_version
     WHERE t.id = $1`,
    [turnId],
  );
  return row?.definition.compensateOn?.includes(status) ?? false;
}

/** Once a turn. Answers whether that was now. */
async function requestCompensation(tx: Queryable, turnId: string): Promise<boolean> {
  const requested = await tx.query(
    `UPDATE turnkeeper.turns SET compensation = 'requested'
     WHERE id = $1 AND compensation IS NULL AND EXISTS (
       SELECT 1 FROM turnkeeper.steps s WHERE s.turn_id = $1 AND ${UNDOABLE})
     RETURNING 1`,
    [turnId],
  );
  return requested.length > 0;
}
