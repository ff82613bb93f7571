import { foldPartialAnswer } from '../conversation/fold.ts';
import { undecidedOutput } from '../conversation/action-output.ts';
import { openCallOutput } from '../conversation/tool-output.ts';
import type { Item } from '../contracts/json.ts';
import type { AbandonedCall, InterruptedTool, Sealed, StepFailure } from '../contracts/store.ts';
import type { Ending, FinalStatus, TurnInput } from '../contracts/turn.ts';
import type { Queryable } from './database.ts';
import { dispatch, release } from './dispatch.ts';
import { appendInTransaction, readStepEvents } from './events.ts';
import { closeActions } from './require-actions.ts';
import type { StepRow } from './ledger.ts';
import { abandonCalls } from './model-calls.ts';
import { leaveQueue } from './queue.ts';
import { insertOutput, insertToolOutput, reservePositions } from './settle.ts';
import { OUTGROWN } from './summaries.ts';
import { doneEvent } from './turn-events.ts';
import { turnNotFound } from './turn-rows.ts';
import { sealEffects } from './undo.ts';
import { readUsage } from './usage.ts';

interface LockedTurn {
  conversation_id: string;
  state: string;
  status: FinalStatus;
  reason: string | null;
  overdue: boolean;
  waiting: boolean;
  duration_ms: number;
  next_turn: string | null;
  compensation: 'requested' | 'closed' | null;
  compensate_wanted: boolean;
  reader_gone: boolean;
  /** Another turn was to come in its place. */
  interrupted: boolean;
}

interface LockedConversation {
  holds_lock: boolean;
  /** Items are to be summarized, and nobody has begun to. */
  outgrown: boolean;
}

type SealRow = LockedTurn & LockedConversation;

/** The one way a turn ends; the first to come here wins, and everybody else reads how it ended. */
export async function sealTurn(
  tx: Queryable,
  tenant: string,
  turnId: string,
  ending: Ending,
): Promise<Sealed | null> {
  const turn = await lockTurn(tx, tenant, turnId);
  const durationMs = turn.duration_ms;
  if (turn.state === 'sealed') {
    const next = turn.next_turn ? await readInput(tx, turn.next_turn) : null;
    const compensating = turn.compensation === 'requested';
    const { status, reason } = turn;
    const interruptedTools = await readInterrupted(tx, turnId);
    const told = { status, reason, won: false, durationMs, abandonedCalls: [], next };
    return { ...told, interruptedTools, ...followUps(tenant, turnId, turn, compensating) };
  }
  if (ending.status === 'expired' && !mayExpire(turn, ending)) return null;
  const [awaited, { tidy, called }] = await Promise.all([
    turn.holds_lock && release(tx, turn.conversation_id),
    whatIsLeft(tx, turnId),
    turn.state === 'queued' && leaveQueue(tx, turnId),
  ]);
  const abandonedCalls = tidy ? [] : await closeOpenSteps(tx, turnId);
  const interruptedTools = tidy ? [] : await readInterrupted(tx, turnId);
  const usage = await readUsage(tx, turnId);
  const reason = reasonOf(ending, turn);
  await Promise.all([
    writeEnding(tx, turnId, ending, reason),
    appendInTransaction(tx, turnId, null, [doneEvent(ending.status, reason, usage)]),
  ]);
  const end = { status: ending.status, reason, wanted: turn.compensate_wanted };
  const compensating = called && (await sealEffects(tx, turnId, end));
  const next = awaited ? await handOver(tx, tenant, turn, { turnId, reason }) : null;
  const told = { status: ending.status, reason, won: true, durationMs, abandonedCalls, next };
  return { ...told, interruptedTools, ...followUps(tenant, turnId, turn, compensating) };
}

function mayExpire(
  turn: LockedTurn,
  { whileWaiting = false }: { whileWaiting?: boolean },
): boolean {
  return turn.overdue || (turn.waiting && whileWaiting);
}

/** Why it was cancelled the workflow is not told. */
function reasonOf(ending: Ending, turn: LockedTurn): string | null {
  const isQueued = turn.state === 'queued';
  if (ending.status === 'expired' && isQueued) return 'queue_timeout';
  if (ending.status === 'cancelled' && turn.interrupted)
    return isQueued ? 'superseded' : 'interrupted';
  if (ending.status === 'cancelled' && turn.reader_gone) return 'reader_gone';
  return 'reason' in ending ? ending.reason : null;
}

/** What is left to be done after the turn, by workflows of their own. */
function followUps(
  tenant: string,
  turnId: string,
  { conversation_id: conversationId, outgrown }: SealRow,
  compensating: boolean,
): Pick<Sealed, 'compensate' | 'summarize'> {
  return {
    compensate: compensating ? { tenant, turnId } : null,
    summarize: outgrown ? { tenant, conversationId } : null,
  };
}

/** Conversation first, then turn: the order of locks everywhere. */
async function lockTurn(tx: Queryable, tenant: string, turnId: string): Promise<SealRow> {
  const [[conversation], [turn]] = await Promise.all([
    tx.query<LockedConversation>(
      `SELECT active_turn IS NOT DISTINCT FROM $2 AS holds_lock,
         ${OUTGROWN} AND summary_wanted_at <= now() AS outgrown FROM turnkeeper.conversations
       WHERE id = (SELECT conversation_id FROM turnkeeper.turns WHERE tenant = $1 AND id = $2) FOR NO KEY UPDATE`,
      [tenant, turnId],
    ),
    tx.query<LockedTurn>(
      `SELECT conversation_id, state, status, reason, next_turn,
         deadline <= clock_timestamp() AS overdue, status = 'requires_action' AS waiting, compensation, compensate_wanted,
         reader_gone_at IS NOT NULL AS reader_gone, interrupted_by IS NOT NULL AS interrupted,
         (extract(epoch FROM coalesce(sealed_at, now()) - coalesce(accepted_at, created_at))
           * 1000)::float8 AS duration_ms
       FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE`,
      [tenant, turnId],
    ),
  ]);
  if (!conversation || !turn) throw turnNotFound(turnId);
  return { ...turn, ...conversation };
}

async function readInput(tx: Queryable, turnId: string): Promise<TurnInput | null> {
  const [row] = await tx.query<{ workflow_input: TurnInput }>(
    'SELECT workflow_input FROM turnkeeper.turns WHERE id = $1',
    [turnId],
  );
  return row?.workflow_input ?? null;
}

const INTERRUPTED: StepFailure = {
  reason: 'interrupted',
  message: 'The turn ended before this step was settled.',
};

/**
 * Whether nothing is open, as behind most turns, and whether tools were called. Asked once the turn is locked, so that
 * nothing is opened afterwards.
 */
async function whatIsLeft(
  tx: Queryable,
  turnId: string,
): Promise<{ tidy: boolean; called: boolean }> {
  const [left] = await tx.query<{ tidy: boolean; called: boolean }>(
    `SELECT NOT EXISTS (
       SELECT 1 FROM turnkeeper.steps WHERE turn_id = $1 AND status = 'open'
       UNION ALL SELECT 1 FROM turnkeeper.model_calls WHERE turn_id = $1 AND state = 'intent'
       UNION ALL SELECT 1 FROM turnkeeper.items c WHERE ${OPEN_CALL}) AS tidy,
       EXISTS (SELECT 1 FROM turnkeeper.steps WHERE turn_id = $1 AND kind = 'tool') AS called`,
    [turnId],
  );
  return left ?? { tidy: true, called: false };
}

/** Of items `c`: a call of turn $1 without an output. */
const OPEN_CALL = `c.turn_id = $1 AND c.type = 'function_call' AND NOT EXISTS (
  SELECT 1 FROM turnkeeper.items o
  WHERE o.turn_id = c.turn_id AND o.call_id = c.call_id AND o.type = 'function_call_output')`;

/**
 * Nothing stays open behind a turn: what was shown becomes an item, every call gets an output, every step is closed.
 * Answers the calls that were still under way.
 */
export async function closeOpenSteps(tx: Queryable, turnId: string): Promise<AbandonedCall[]> {
  const [steps, abandoned] = await Promise.all([
    lockOpenSteps(tx, turnId),
    abandonCalls(tx, turnId),
  ]);
  for (const step of steps.filter(({ kind }) => kind === 'respond'))
    await foldShown(tx, turnId, step);
  await answerOpenCalls(tx, turnId, steps);
  if (steps.length > 0) await markClosed(tx, turnId);
  return abandoned;
}

export function lockOpenSteps(tx: Queryable, turnId: string): Promise<StepRow[]> {
  return tx.query(
    `SELECT * FROM turnkeeper.steps WHERE turn_id = $1 AND status = 'open' ORDER BY key FOR NO KEY UPDATE`,
    [turnId],
  );
}

async function markClosed(tx: Queryable, turnId: string): Promise<void> {
  await tx.query(
    `UPDATE turnkeeper.steps SET status = 'closed', settled_at = now(),
       outcome = CASE WHEN kind = 'tool' THEN 'unknown' END, error = $2
     WHERE turn_id = $1 AND status = 'open'`,
    [turnId, JSON.stringify(INTERRUPTED)],
  );
}

/** Those of an unknown tool never began. */
function readInterrupted(tx: Queryable, turnId: string): Promise<InterruptedTool[]> {
  return tx.query(
    `SELECT key AS step, tool_name AS name, policy FROM turnkeeper.steps
     WHERE turn_id = $1 AND kind = 'tool' AND status = 'closed' AND policy IS NOT NULL ORDER BY number`,
    [turnId],
  );
}

async function foldShown(tx: Queryable, turnId: string, step: StepRow): Promise<void> {
  const items = foldPartialAnswer(await readStepEvents(tx, turnId, step.key, step.base_event));
  if (items.length === 0) return;
  await insertOutput(
    tx,
    { turnId, step: step.key },
    await reservePositions(tx, turnId, items),
    items,
  );
}

async function answerOpenCalls(tx: Queryable, turnId: string, openSteps: StepRow[]): Promise<void> {
  const calls = await tx.query<{ call_id: string; step_key: string; item: Item }>(
    `SELECT c.call_id, c.step_key, c.item FROM turnkeeper.items c WHERE ${OPEN_CALL} ORDER BY c.position`,
    [turnId],
  );
  const undecided = await closeActions(tx, turnId);
  for (const { call_id: callId, step_key: step } of calls) {
    const started = openSteps.some((open) => open.call_id === callId);
    const kind = undecided.get(callId);
    const output = kind ? undecidedOutput(kind) : openCallOutput(started);
    await insertToolOutput(tx, turnId, { callId, step, output });
  }
}

/** The released conversation goes to the first turn that still waits, once this one has left everything in it. */
async function handOver(
  tx: Queryable,
  tenant: string,
  { conversation_id: conversationId }: LockedTurn,
  ended: { turnId: string; reason: string | null },
): Promise<TurnInput | null> {
  const { next, late } = await dispatch(tx, conversationId, ended);
  for (const id of late) await sealTurn(tx, tenant, id, { status: 'expired' });
  return next;
}

async function writeEnding(
  tx: Queryable,
  turnId: string,
  ending: Ending,
  reason: string | null,
): Promise<void> {
  await tx.query(
    `UPDATE turnkeeper.turns SET state = 'sealed', status = $2, reason = $3, message = $4, sealed_at = now() WHERE id = $1`,
    [turnId, ending.status, reason, 'message' in ending ? ending.message : null],
  );
}
