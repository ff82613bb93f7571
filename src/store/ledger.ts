import type { Json, JsonObject } from '../contracts/json.ts';
import { StepRefused } from '../contracts/store.ts';
import type {
  BeginStep,
  BegunStep,
  ClaimTool,
  Fence,
  Repairs,
  RunningCall,
  Step,
  StepFailure,
  StepKind,
  StepRef,
  StepStatus,
} from '../contracts/store.ts';
import type { ToolOutcome, ToolPolicy } from '../contracts/turn.ts';
import type { Database, Queryable } from './database.ts';
import { appendInTransaction } from './events.ts';
import { findRunning } from './model-calls.ts';
import { stepStarted } from './step-events.ts';

export interface StepRow {
  key: string;
  kind: StepKind;
  status: StepStatus;
  fence_ms: number;
  fence_attempt: number;
  attempts: number;
  appended: number;
  base_event: number;
  model: string | null;
  follows: JsonObject | null;
  call_id: string | null;
  tool_name: string | null;
  policy: ToolPolicy | null;
  outcome: ToolOutcome | null;
  /** The tool can undo what it did. False once it is known that it did nothing. */
  compensable: boolean;
  result: Json;
  error: StepFailure | null;
  started_at: Date;
  settled_at: Date | null;
}

/** Begins a step, or takes it over from an earlier attempt, or hands back what it came to. */
export async function beginStep(db: Database, step: BeginStep): Promise<BegunStep> {
  const [inserted] = await insertStep(db, step, () => 'SELECT 1');
  if (inserted) return { state: 'open', earlierAttempts: 0 };
  return db.transaction((tx) => takeOver(tx, step));
}

/** Hands the step of a turn that goes on to this attempt, or hands back what it came to. */
export async function takeOver(tx: Queryable, step: BeginStep | ClaimTool): Promise<BegunStep> {
  await lockOpenTurn(tx, step);
  await requireSettled(tx, step);
  return takeStep(tx, step);
}

/** Hands a step that is there to this attempt, or hands back what it came to. */
export async function takeStep(
  tx: Queryable,
  ref: StepRef,
  maxAttempts = Infinity,
): Promise<BegunStep> {
  const row = await lockStep(tx, ref);
  if (row.status === 'completed' || row.status === 'failed') {
    return { state: 'settled', status: row.status, result: row.result, error: row.error };
  }
  if (row.status === 'closed') throw turnSealed(ref);
  if (isOlder(ref.fence, row)) throw fenced(ref);
  const running = await goOnWith(tx, ref, row);
  if (!running) await startOver(tx, ref, row, row.attempts < maxAttempts ? 1 : 0);
  return { state: 'open', earlierAttempts: row.attempts, ...(running && { running }) };
}

async function lockOpenTurn(tx: Queryable, ref: StepRef): Promise<void> {
  const [turn] = await tx.query<{ state: string }>(
    'SELECT state FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR SHARE',
    [ref.tenant, ref.turnId],
  );
  if (!turn) throw new StepRefused('turn_not_found', `The store has no turn ${ref.turnId}.`);
  if (turn.state === 'sealed') throw turnSealed(ref);
}

function turnSealed({ turnId }: StepRef): StepRefused {
  return new StepRefused('turn_sealed', `Turn ${turnId} has ended.`);
}

/** What Temporal says is done must be in the store, or the store was restored from an older backup. */
export async function requireSettled(
  tx: Queryable,
  { turnId, step, after }: StepRef & { after: string[] },
): Promise<void> {
  if (after.length === 0) return;
  const settled = await tx.query(
    `SELECT 1 FROM turnkeeper.steps
     WHERE turn_id = $1 AND key = ANY ($2) AND status IN ('completed', 'failed')`,
    [turnId, after],
  );
  if (settled.length === after.length) return;
  throw new StepRefused(
    'store_rolled_back',
    `Step ${step} follows steps that the store has not settled.`,
  );
}

/** Names of the parameters of the statement that inserts a step. */
const STEP_PARAMETERS = { tenant: '$1', turn: '$2', call: '$10' };

/**
 * Most steps begin once: in one statement, under the turn's lock, with the event that tells of it. Answers what `reading`
 * selects beside; nothing, and has changed nothing, when the step is there already or may not begin.
 */
export async function insertStep<Row>(
  db: Queryable,
  step: BeginStep | ClaimTool,
  reading: (parameters: typeof STEP_PARAMETERS) => string,
): Promise<Row[]> {
  const respond = step.kind === 'respond' ? step : undefined;
  const tool = step.kind === 'tool' ? step : undefined;
  return db.query<Row>(
    `WITH turn AS (
       SELECT id, state FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR SHARE
     ), settled AS (
       SELECT count(*) FROM turnkeeper.steps
       WHERE turn_id = $2 AND key = ANY ($6::text[]) AND status IN ('completed', 'failed')
     ), fresh AS (
       SELECT id FROM turn WHERE state <> 'sealed' AND NOT EXISTS (
         SELECT 1 FROM turnkeeper.steps WHERE turn_id = $2 AND key = $3)
         AND ($10::text IS NULL OR EXISTS (
           SELECT 1 FROM turnkeeper.items WHERE turn_id = $2 AND call_id = $10 AND type = 'function_call'))
         AND NOT EXISTS (
           SELECT 1 FROM turnkeeper.actions WHERE turn_id = $2 AND call_id = $10 AND state <> 'approved')
     ), sequence AS (
       SELECT turn_id, next_seq FROM turnkeeper.event_sequences
       WHERE turn_id = (SELECT id FROM fresh) FOR NO KEY UPDATE
     ), step AS (
       INSERT INTO turnkeeper.steps (turn_id, key, kind, status, fence_ms, fence_attempt, attempts, base_event,
         model, follows, call_id, tool_name, policy, compensable, compensate_unknown, timeout_ms)
       SELECT turn_id, $3, $7, 'open', $4, $5, 1, next_seq, $8, $9, $10, $11, $12, $13, $14, $15
       FROM sequence, settled WHERE settled.count = cardinality($6::text[])
       ON CONFLICT DO NOTHING RETURNING turn_id, key, base_event
     ), raised AS (
       UPDATE turnkeeper.event_sequences SET next_seq = next_seq + 1 WHERE turn_id = (SELECT turn_id FROM step)
     ), event AS (
       INSERT INTO turnkeeper.events (turn_id, seq, step_key, event)
       SELECT turn_id, base_event, key, $16 FROM step
     )
     SELECT found.* FROM step, (${reading(STEP_PARAMETERS)}) found`,
    [
      step.tenant,
      step.turnId,
      step.step,
      step.fence.scheduledMs,
      step.fence.attempt,
      step.after,
      step.kind,
      respond?.model ?? null,
      respond?.follows ? JSON.stringify(respond.follows) : null,
      tool?.callId ?? null,
      tool?.name ?? null,
      tool?.policy ?? null,
      tool?.compensable ?? false,
      tool?.compensateUnknown ?? false,
      tool?.timeoutMs ?? null,
      JSON.stringify(stepStarted(step)),
    ],
  );
}

async function lockStep(tx: Queryable, { tenant, turnId, step }: StepRef): Promise<StepRow> {
  const [row] = await tx.query<StepRow>(
    `SELECT s.* FROM turnkeeper.steps s JOIN turnkeeper.turns t ON t.id = s.turn_id
     WHERE t.tenant = $1 AND s.turn_id = $2 AND s.key = $3 FOR NO KEY UPDATE OF s`,
    [tenant, turnId, step],
  );
  if (!row)
    throw new StepRefused('store_rolled_back', `The store has no step ${step} of turn ${turnId}.`);
  return row;
}

function isOlder(fence: Fence, row: StepRow): boolean {
  return (
    fence.scheduledMs < row.fence_ms ||
    (fence.scheduledMs === row.fence_ms && fence.attempt < row.fence_attempt)
  );
}

/**
 * Raises the fence where the provider goes on with the model call of an earlier attempt: what that one has shown stands.
 * Null, and nothing has changed, where there is no such call.
 */
async function goOnWith(
  tx: Queryable,
  { turnId, fence }: StepRef,
  row: StepRow,
): Promise<RunningCall | null> {
  const running = row.kind === 'respond' ? await findRunning(tx, turnId, row.key) : null;
  if (!running) return null;
  await tx.query(
    `UPDATE turnkeeper.steps SET fence_ms = $3, fence_attempt = $4, attempts = attempts + 1
     WHERE turn_id = $1 AND key = $2`,
    [turnId, row.key, fence.scheduledMs, fence.attempt],
  );
  return { ...running, appended: row.appended };
}

/** Raises the fence. What an earlier attempt of a model call has shown is taken back in the same transaction. */
async function startOver(
  tx: Queryable,
  { turnId, fence }: StepRef,
  row: StepRow,
  counted: 0 | 1,
): Promise<void> {
  const rewind = row.kind === 'respond' && row.appended > 0 ? [rewindTo(row.base_event)] : [];
  const base = await appendInTransaction(tx, turnId, null, rewind);
  await tx.query(
    `UPDATE turnkeeper.steps SET fence_ms = $3, fence_attempt = $4, attempts = attempts + $6, appended = 0,
       base_event = $5 WHERE turn_id = $1 AND key = $2`,
    [turnId, row.key, fence.scheduledMs, fence.attempt, base, counted],
  );
}

export function rewindTo(number: number): { type: string; to: number } {
  return { type: 'turn.rewind', to: number };
}

export function fenced(ref: StepRef): StepRefused {
  return new StepRefused('step_fenced', `Attempt ${ref.fence.attempt} has lost step ${ref.step}.`);
}

/**
 * Locks a step for its attempt; everything that an attempt writes goes through here first. Answers null when this very
 * attempt has settled it already, as happens when the answer to a commit was lost.
 */
export async function holdStep(tx: Queryable, ref: StepRef): Promise<StepRow | null> {
  const row = await lockStep(tx, ref);
  const mine = row.fence_ms === ref.fence.scheduledMs && row.fence_attempt === ref.fence.attempt;
  if (row.status === 'closed') throw turnSealed(ref);
  if (!mine) throw fenced(ref);
  return row.status === 'open' ? row : null;
}

export async function readSteps(db: Queryable, turnId: string): Promise<Step[]> {
  const rows = await db.query<StepRow>(
    'SELECT * FROM turnkeeper.steps WHERE turn_id = $1 ORDER BY number',
    [turnId],
  );
  return rows.map(toStep);
}

function toStep(row: StepRow): Step {
  const { call_id: callId, tool_name: name, policy, outcome } = row;
  return {
    key: row.key,
    kind: row.kind,
    status: row.status,
    attempts: row.attempts,
    model: row.model,
    tool: callId === null || name === null ? null : { callId, name, policy, outcome },
    error: row.error,
    repairs: row.kind === 'repair' ? (row.result as unknown as Repairs) : null,
    startedAt: row.started_at,
    settledAt: row.settled_at,
  };
}
