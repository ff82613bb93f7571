import { foldPartialAnswer } from '../conversation/fold.ts';
import { openCallOutput } from '../conversation/tool-output.ts';
import type { Item } from '../contracts/json.ts';
import type {
  AbandonedCall,
  InterruptedTool,
  NewEvent,
  Sealed,
  StepFailure,
  Usage,
} from '../contracts/store.ts';
import type { Ending, FinalStatus, TurnInput } from '../contracts/turn.ts';
import { UNDOABLE } from './compensations.ts';
import type { Queryable } from './database.ts';
import { appendInTransaction, readStepEvents } from './events.ts';
import type { StepRow } from './ledger.ts';
import { abandonCalls } from './model-calls.ts';
import { insertOutput, insertToolOutput, reservePositions } from './settle.ts';
import { OUTGROWN } from './summaries.ts';
import { turnNotFound } from './turn-rows.ts';
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
  reader_gone: boolean;
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
  if (ending.status === 'expired' && !turn.overdue && !turn.waiting) return null;
  const [next, tidy] = await Promise.all([
    turn.holds_lock ? handOver(tx, turn.conversation_id) : null,
    isTidy(tx, turnId),
  ]);
  const abandonedCalls = tidy ? [] : await closeOpenSteps(tx, turnId);
  const interruptedTools = tidy ? [] : await readInterrupted(tx, turnId);
  const usage = await readUsage(tx, turnId);
  const reason = reasonOf(ending, turn);
  await Promise.all([
    writeEnding(tx, turnId, ending, reason, next?.turnId ?? null),
    appendInTransaction(tx, turnId, null, [doneEvent(ending.status, reason, usage)]),
  ]);
  const compensating = ending.status === 'failed' && (await requestCompensation(tx, turnId));
  const told = { status: ending.status, reason, won: true, durationMs, abandonedCalls, next };
  return { ...told, interruptedTools, ...followUps(tenant, turnId, turn, compensating) };
}

/** Why it was cancelled the workflow is not told. */
function reasonOf(ending: Ending, turn: LockedTurn): string | null {
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

/** In the sealing transaction, so that no failed turn is without it. Answers whether there is anything to undo. */
async function requestCompensation(tx: Queryable, turnId: string): Promise<boolean> {
  const requested = await tx.query(
    `UPDATE turnkeeper.turns SET compensation = 'requested' WHERE id = $1 AND EXISTS (
       SELECT 1 FROM turnkeeper.steps s WHERE s.turn_id = $1 AND ${UNDOABLE})
     RETURNING 1`,
    [turnId],
  );
  return requested.length > 0;
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
         deadline <= clock_timestamp() AS overdue, status = 'requires_action' AS waiting, compensation,
         reader_gone_at IS NOT NULL AS reader_gone,
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

/** Whether nothing is open, as behind most turns. Asked once the turn is locked, so that nothing is opened afterwards. */
async function isTidy(tx: Queryable, turnId: string): Promise<boolean> {
  const open = await tx.query(
    `SELECT 1 FROM turnkeeper.steps WHERE turn_id = $1 AND status = 'open'
     UNION ALL SELECT 1 FROM turnkeeper.model_calls WHERE turn_id = $1 AND state = 'intent'
     UNION ALL SELECT 1 FROM turnkeeper.items c WHERE ${OPEN_CALL}
     LIMIT 1`,
    [turnId],
  );
  return open.length === 0;
}

/** Of items `c`: a call of turn $1 without an output. */
const OPEN_CALL = `c.turn_id = $1 AND c.type = 'function_call' AND NOT EXISTS (
  SELECT 1 FROM turnkeeper.items o
  WHERE o.turn_id = c.turn_id AND o.call_id = c.call_id AND o.type = 'function_call_output')`;

/**
 * Nothing stays open behind a turn: what was shown becomes an item, every call gets an output, every step is closed.
 * Answers the calls that were still under way.
 */
async function closeOpenSteps(tx: Queryable, turnId: string): Promise<AbandonedCall[]> {
  const [steps, abandoned] = await Promise.all([
    tx.query<StepRow>(
      `SELECT * FROM turnkeeper.steps WHERE turn_id = $1 AND status = 'open' ORDER BY key FOR NO KEY UPDATE`,
      [turnId],
    ),
    abandonCalls(tx, turnId),
  ]);
  for (const step of steps.filter(({ kind }) => kind === 'respond'))
    await foldShown(tx, turnId, step);
  await answerOpenCalls(tx, turnId, steps);
  if (steps.length > 0) await markClosed(tx, turnId);
  return abandoned;
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
  for (const { call_id: callId, step_key: step } of calls) {
    const started = openSteps.some((open) => open.call_id === callId);
    await insertToolOutput(tx, turnId, { callId, step, output: openCallOutput(started) });
  }
}

/** The lock goes to the oldest queued turn, or is released. */
async function handOver(tx: Queryable, conversationId: string): Promise<TurnInput | null> {
  const [row] = await tx.query<{ workflow_input: TurnInput }>(
    `WITH next AS (
       UPDATE turnkeeper.turns SET state = 'accepted', status = 'in_progress', accepted_at = now()
       WHERE id = (
         SELECT id FROM turnkeeper.turns
         WHERE conversation_id = $1 AND state = 'queued' ORDER BY number LIMIT 1)
       RETURNING id, workflow_input
     ), conversation AS (
       UPDATE turnkeeper.conversations SET active_turn = (SELECT id FROM next) WHERE id = $1
     )
     SELECT workflow_input FROM next`,
    [conversationId],
  );
  return row?.workflow_input ?? null;
}

async function writeEnding(
  tx: Queryable,
  turnId: string,
  ending: Ending,
  reason: string | null,
  next: string | null,
): Promise<void> {
  await tx.query(
    `UPDATE turnkeeper.turns SET state = 'sealed', status = $2, reason = $3, message = $4, next_turn = $5,
       sealed_at = now() WHERE id = $1`,
    [turnId, ending.status, reason, 'message' in ending ? ending.message : null, next],
  );
}

function doneEvent(status: FinalStatus, reason: string | null, usage: Usage): NewEvent {
  const { inputTokens, outputTokens, totalTokens } = usage;
  const tokens = {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: totalTokens,
  };
  return { type: 'turn.done', status, reason, usage: tokens };
}
