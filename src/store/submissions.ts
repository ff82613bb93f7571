import type { ActionKind, ActionState } from '../contracts/actions.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Decision, NewEvent, Submission, Turn } from '../contracts/store.ts';
import type { Queryable } from './database.ts';
import { appendInTransaction } from './events.ts';
import { insertToolOutput } from './settle.ts';
import { findTurn, turnNotFound } from './turn-rows.ts';
import { wantCompensation } from './undo.ts';

/**
 * Holds for a started turn `t` that has not gone on with what was submitted: an approved call whose step nobody has begun,
 * or, once everything is decided and no tool runs, no model call since.
 */
export const UNREAD = `t.state = 'started' AND t.submitted_at IS NOT NULL AND (
  EXISTS (SELECT 1 FROM turnkeeper.actions a WHERE a.turn_id = t.id AND a.state = 'approved' AND NOT EXISTS (
    SELECT 1 FROM turnkeeper.steps s WHERE s.turn_id = t.id AND s.key = 'tool:' || a.call_id))
  OR (t.status = 'in_progress' AND NOT EXISTS (
    SELECT 1 FROM turnkeeper.steps s WHERE s.turn_id = t.id AND (
      (s.kind = 'respond' AND s.started_at > t.submitted_at) OR (s.kind = 'tool' AND s.status = 'open')))))`;

interface LockedTurn {
  /** It waits, and its deadline has not passed. */
  waiting: boolean;
  status: string;
}

interface KnownAction {
  call_id: string;
  kind: ActionKind;
  state: ActionState;
  decision_hash: string | null;
  /** The model call that asked for it. */
  step_key: string;
}

/** All decisions or none, under the turn's lock: of two submitters at once, the later finds what the other has stored. */
export async function submitActions(
  tx: Queryable,
  { tenant, turnId }: { tenant: string; turnId: string },
  { decisions, partial }: Submission,
): Promise<Turn> {
  const turn = await lockTurn(tx, tenant, turnId);
  const actions = await readKnown(tx, turnId);
  const fresh = decisions.filter((decision) => !isRepeated(decision, actions));
  if (fresh.length > 0 && !turn.waiting) throw notWaiting(turnId, turn.status);
  for (const decision of fresh)
    requireFitting(decision, actions.get(decision.callId), placeOf(decision, decisions));
  if (turn.waiting && !partial) requireAll(decisions, actions);
  if (fresh.length > 0) await store(tx, turnId, fresh, actions);
  return await findTurn(tx, tenant, turnId);
}

async function lockTurn(tx: Queryable, tenant: string, turnId: string): Promise<LockedTurn> {
  const id = [tenant, turnId];
  // The clock is read once the lock is held: whoever read the turn before it has seen the same side of the deadline.
  const [, [turn]] = await Promise.all([
    tx.query('SELECT 1 FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE', id),
    tx.query<LockedTurn>(
      `SELECT status, status = 'requires_action' AND deadline > clock_timestamp() AS waiting
       FROM turnkeeper.turns WHERE tenant = $1 AND id = $2`,
      id,
    ),
  ]);
  if (!turn) throw turnNotFound(turnId);
  return turn;
}

async function readKnown(tx: Queryable, turnId: string): Promise<Map<string, KnownAction>> {
  const rows = await tx.query<KnownAction>(
    `SELECT a.call_id, a.kind, a.state, a.decision_hash, i.step_key FROM turnkeeper.actions a
     JOIN turnkeeper.items i ON i.turn_id = a.turn_id AND i.call_id = a.call_id AND i.type = 'function_call'
     WHERE a.turn_id = $1 ORDER BY i.position`,
    [turnId],
  );
  return new Map(rows.map((row) => [row.call_id, row]));
}

function isRepeated({ callId, hash }: Decision, actions: Map<string, KnownAction>): boolean {
  const known = actions.get(callId)?.decision_hash ?? null;
  if (known === null) return false;
  if (known === hash) return true;
  const message = `Call ${callId} was decided otherwise.`;
  throw new TurnkeeperError('submission_conflict', message, { callId });
}

const WHY_NOT: Partial<Record<string, string>> = {
  requires_action: 'has waited until its deadline',
  queued: 'has not begun: it waits in the queue',
};

function notWaiting(turnId: string, status: string): TurnkeeperError {
  const why = WHY_NOT[status] ?? `waits for no submission: it is ${status}`;
  return new TurnkeeperError('turn_not_waiting', `Turn ${turnId} ${why}.`, { status });
}

const KIND_OF = { answered: 'outputs', approved: 'approval', denied: 'approval' } as const;

/** The field of the submission that says it. */
function placeOf(decision: Decision, decisions: Decision[]): string {
  const isOutput = ({ state }: Decision) => state === 'answered';
  const alike = decisions.filter((each) => isOutput(each) === isOutput(decision));
  return `${isOutput(decision) ? 'outputs' : 'approvals'}[${alike.indexOf(decision)}]`;
}

function requireFitting(
  { callId, state }: Decision,
  action: KnownAction | undefined,
  field: string,
): void {
  if (!action) {
    const message = `The turn does not wait for a call ${JSON.stringify(callId)}.`;
    throw new TurnkeeperError('action_not_found', message, { callId });
  }
  if (action.kind === KIND_OF[state]) return;
  const message =
    action.kind === 'outputs'
      ? `${field} is an approval, but call ${callId} waits for its output.`
      : `${field} is an output, but call ${callId} waits for an approval.`;
  throw new TurnkeeperError('invalid_request', message, { field, callId });
}

function requireAll(decisions: Decision[], actions: Map<string, KnownAction>): void {
  const given = new Set(decisions.map(({ callId }) => callId));
  const missing = [...actions.values()]
    .filter(({ state, call_id: id }) => state === 'pending' && !given.has(id))
    .map(({ call_id: id }) => id);
  if (missing.length === 0) return;
  const message = `The turn also waits for ${missing.join(', ')}.`;
  throw new TurnkeeperError('actions_missing', message, { missing });
}

async function store(
  tx: Queryable,
  turnId: string,
  decisions: Decision[],
  actions: Map<string, KnownAction>,
): Promise<void> {
  await Promise.all(
    decisions.flatMap((decision) => [
      storeDecision(tx, turnId, decision),
      ...('output' in decision
        ? [insertToolOutput(tx, turnId, { ...decision, step: stepOf(actions, decision) })]
        : []),
    ]),
  );
  if (decisions.some((decision) => decision.state === 'denied' && decision.compensate))
    await wantCompensation(tx, turnId);
  await goOnWhenDecided(tx, turnId);
  await appendInTransaction(tx, turnId, null, decisions.map(decidedEvent));
}

function stepOf(actions: Map<string, KnownAction>, { callId }: Decision): string {
  return actions.get(callId)?.step_key ?? '';
}

async function storeDecision(tx: Queryable, turnId: string, decision: Decision): Promise<void> {
  const { callId, state, hash } = decision;
  const edited = decision.state === 'approved' ? decision.editedArguments : null;
  const reason = decision.state === 'denied' ? decision.reason : null;
  await tx.query(
    `UPDATE turnkeeper.actions SET state = $3, decision_hash = $4, edited_arguments = $5, reason = $6,
       decided_at = now() WHERE turn_id = $1 AND call_id = $2`,
    [
      turnId,
      callId,
      state,
      hash,
      edited && JSON.stringify(edited),
      reason && JSON.stringify(reason),
    ],
  );
}

/** With the last decision the turn's own time goes on. */
async function goOnWhenDecided(tx: Queryable, turnId: string): Promise<void> {
  await tx.query(
    `WITH open AS (
       SELECT EXISTS (SELECT 1 FROM turnkeeper.actions WHERE turn_id = $1 AND state = 'pending') AS waits
     )
     UPDATE turnkeeper.turns SET submitted_at = clock_timestamp(), woken_at = NULL,
       status = CASE WHEN open.waits THEN status ELSE 'in_progress' END,
       deadline = CASE WHEN open.waits THEN deadline
         ELSE clock_timestamp() + time_left_ms * interval '1 millisecond' END,
       time_left_ms = CASE WHEN open.waits THEN time_left_ms END
     FROM open WHERE id = $1`,
    [turnId],
  );
}

function decidedEvent(decision: Decision): NewEvent {
  const { callId, state } = decision;
  const edited = decision.state === 'approved' && decision.editedArguments !== null;
  return {
    type: 'turn.action_decided',
    call_id: callId,
    decision: state,
    ...(edited && { edited }),
  };
}
