import { StepRefused } from '../contracts/store.ts';
import type {
  BeginCompensation,
  BegunStep,
  CompensationStore,
  EffectToUndo,
  StepFailure,
  StepRef,
} from '../contracts/store.ts';
import type { CompensateInput, EffectRef } from '../contracts/turn.ts';
import type { Item, Json, JsonObject } from '../contracts/json.ts';
import type { Database, Queryable } from './database.ts';
import { argumentsOf, noteEffects, readEffects, UNDOABLE } from './effects.ts';
import { holdStep, requireSettled, takeStep } from './ledger.ts';
import { settle } from './settle.ts';
import { findTurn } from './turn-rows.ts';
import { askForCompensation, lockWithBranches } from './undo.ts';

export function compensationStore(db: Database): CompensationStore {
  return {
    request: (tenant, turnId) => db.transaction((tx) => askForCompensation(tx, tenant, turnId)),
    async outcomes(tenant, turnId) {
      await findTurn(db, tenant, turnId);
      return readEffects(db, turnId);
    },
    async effects(tenant, turnId) {
      await requireCompensation(db, { tenant, turnId });
      return unsettledEffects(db, turnId);
    },
    begin: (step) => db.transaction((tx) => begin(tx, step)),
    loadEffect: (ref, callId) => loadEffect(db, ref, callId),
    settle: (ref, failure) => db.transaction((tx) => settleCompensation(tx, ref, failure)),
    close: (tenant, turnId) => db.transaction((tx) => close(tx, { tenant, turnId })),
    abandon: (tenant, turnId, failure) =>
      db.transaction((tx) => abandon(tx, { tenant, turnId }, failure)),
  };
}

async function requireCompensation(
  db: Queryable,
  { tenant, turnId }: CompensateInput,
  lock: '' | 'FOR SHARE' | 'FOR NO KEY UPDATE' = '',
): Promise<'requested' | 'closed'> {
  const [turn] = await db.query<{ compensation: 'requested' | 'closed' | null }>(
    `SELECT compensation FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 ${lock}`,
    [tenant, turnId],
  );
  if (!turn) throw new StepRefused('turn_not_found', `The store has no turn ${turnId}.`);
  if (turn.compensation) return turn.compensation;
  throw rolledBack(`The store knows of nothing to undo of turn ${turnId}.`);
}

function rolledBack(message: string): StepRefused {
  return new StepRefused('store_rolled_back', message);
}

function unsettledEffects(db: Queryable, turnId: string): Promise<EffectRef[]> {
  return db.query(
    `SELECT s.call_id AS "callId", s.tool_name AS name, s.timeout_ms AS "timeoutMs" FROM turnkeeper.steps s
     WHERE s.turn_id = $1 AND ${UNDOABLE} AND NOT EXISTS (
       SELECT 1 FROM turnkeeper.steps c
       WHERE c.turn_id = $1 AND c.kind = 'compensate' AND c.call_id = s.call_id AND c.status <> 'open')
     ORDER BY s.settled_at DESC, s.number DESC`,
    [turnId],
  );
}

/** A closed compensation has a step for each of its effects: nothing new can be begun in it. */
async function begin(tx: Queryable, step: BeginCompensation): Promise<BegunStep> {
  await requireCompensation(tx, step, 'FOR SHARE');
  await requireSettled(tx, step);
  await insertSteps(tx, step.turnId, [step.callId]);
  return takeStep(tx, step, step.maxAttempts);
}

async function insertSteps(tx: Queryable, turnId: string, callIds: string[]): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.steps (turn_id, key, kind, status, call_id, tool_name)
     SELECT s.turn_id, 'compensate:' || s.call_id, 'compensate', 'open', s.call_id, s.tool_name
     FROM turnkeeper.steps s WHERE s.turn_id = $1 AND s.call_id = ANY ($2) AND ${UNDOABLE}
     ON CONFLICT DO NOTHING`,
    [turnId, callIds],
  );
}

interface EffectRow {
  conversation_id: string;
  end_user: string | null;
  tool_name: string;
  known: boolean;
  item: Item;
  edited_arguments: JsonObject | null;
  /** Null for a call that its turn was ended over. */
  result: { returned?: Json } | null;
}

async function loadEffect(
  db: Queryable,
  { tenant, turnId }: StepRef,
  callId: string,
): Promise<EffectToUndo> {
  const [row] = await db.query<EffectRow>(
    `SELECT t.conversation_id, c.end_user, s.tool_name, s.outcome <> 'unknown' AS known, i.item, s.result,
       a.edited_arguments
     FROM turnkeeper.turns t
     JOIN turnkeeper.conversations c ON c.id = t.conversation_id
     JOIN turnkeeper.steps s ON s.turn_id = t.id AND s.call_id = $3 AND ${UNDOABLE}
     JOIN turnkeeper.items i ON i.turn_id = t.id AND i.call_id = $3 AND i.type = 'function_call'
     LEFT JOIN turnkeeper.actions a ON a.turn_id = t.id AND a.call_id = $3
     WHERE t.tenant = $1 AND t.id = $2`,
    [tenant, turnId, callId],
  );
  if (!row) throw rolledBack(`The store has no effect of call ${callId} of turn ${turnId}.`);
  return {
    conversationId: row.conversation_id,
    endUser: row.end_user,
    toolName: row.tool_name,
    arguments: argumentsOf(row),
    output: row.result?.returned ?? null,
    known: row.known,
  };
}

async function settleCompensation(
  tx: Queryable,
  ref: StepRef,
  failure: StepFailure | null,
): Promise<void> {
  if (!(await holdStep(tx, ref))) return;
  const status = failure ? 'failed' : 'completed';
  await settle(tx, ref, { status, result: null, error: failure });
}

async function close(tx: Queryable, compensation: CompensateInput): Promise<void> {
  const { turnId } = compensation;
  const { state, branches } = await lockCompensation(tx, compensation);
  if (state === 'closed') return;
  const left = await unsettledEffects(tx, turnId);
  if (left.length > 0) throw rolledBack(`The store has unsettled effects of turn ${turnId}.`);
  await markClosed(tx, turnId, branches);
}

async function abandon(
  tx: Queryable,
  compensation: CompensateInput,
  failure: StepFailure,
): Promise<number> {
  const { turnId } = compensation;
  const { state, branches } = await lockCompensation(tx, compensation);
  if (state === 'closed') return 0;
  const left = await unsettledEffects(tx, turnId);
  await insertSteps(
    tx,
    turnId,
    left.map(({ callId }) => callId),
  );
  await tx.query(
    `UPDATE turnkeeper.steps SET status = 'closed', settled_at = now(), error = $2
     WHERE turn_id = $1 AND kind = 'compensate' AND status = 'open'`,
    [turnId, JSON.stringify(failure)],
  );
  await markClosed(tx, turnId, branches);
  return left.length;
}

/** With its conversation and its branches, which are told how it ended. */
async function lockCompensation(
  tx: Queryable,
  { tenant, turnId }: CompensateInput,
): Promise<{ state: 'requested' | 'closed'; branches: string[] }> {
  const branches = await lockWithBranches(tx, tenant, turnId);
  const state = await requireCompensation(tx, { tenant, turnId }, 'FOR NO KEY UPDATE');
  return { state, branches };
}

/** Once: whoever comes upon a closed one changes nothing. */
async function markClosed(tx: Queryable, turnId: string, branches: string[]): Promise<void> {
  await tx.query("UPDATE turnkeeper.turns SET compensation = 'closed' WHERE id = $1", [turnId]);
  await noteEffects(tx, turnId, ['undone', 'not_undone'], branches);
}
