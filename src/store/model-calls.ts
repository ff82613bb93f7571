import type {
  CallUsage,
  FailedModelCall,
  ModelCall,
  NewEvent,
  StepRef,
  Usage,
} from '../contracts/store.ts';
import { v7 } from 'uuid';
import { deltaCharacters } from '../conversation/fold.ts';
import type { Queryable } from './database.ts';
import { readStepEvents } from './events.ts';

interface CallRow {
  id: string;
  step_key: string;
  model: string;
  state: ModelCall['state'];
  estimated: boolean;
  base_event: number;
  response_id: string | null;
  request_id: string | null;
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
}

/** A token of running text is about four characters; only used for calls whose real usage never arrived. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * The intent of a step's first call, in one statement, under the step's lock. Answers null, and has changed nothing,
 * when there was a call before or the attempt does not hold the step.
 */
export async function insertFirstIntent(
  db: Queryable,
  ref: StepRef,
  call: { model: string; inputTokens: number },
): Promise<string | null> {
  const id = v7();
  const inserted = await db.query(
    `WITH step AS (
       SELECT s.* FROM turnkeeper.steps s JOIN turnkeeper.turns t ON t.id = s.turn_id
       WHERE t.tenant = $2 AND s.turn_id = $3 AND s.key = $4 FOR NO KEY UPDATE OF s
     )
     INSERT INTO turnkeeper.model_calls (id, turn_id, step_key, model, state, base_event, input_tokens)
     SELECT $1, turn_id, key, $7, 'intent', base_event + appended, $8 FROM step
     WHERE status = 'open' AND fence_ms = $5 AND fence_attempt = $6 AND NOT EXISTS (
       SELECT 1 FROM turnkeeper.model_calls WHERE turn_id = $3 AND step_key = $4)
     RETURNING 1`,
    [
      id,
      ref.tenant,
      ref.turnId,
      ref.step,
      ref.fence.scheduledMs,
      ref.fence.attempt,
      call.model,
      call.inputTokens,
    ],
  );
  return inserted.length > 0 ? id : null;
}

/** The intent goes into the database before the create goes out: a call that was sent is always known. */
export async function insertIntent(
  tx: Queryable,
  ref: StepRef,
  call: { model: string; inputTokens: number; baseEvent: number },
): Promise<string> {
  const id = v7();
  await tx.query(
    `INSERT INTO turnkeeper.model_calls (id, turn_id, step_key, model, state, base_event, input_tokens)
     VALUES ($1, $2, $3, $4, 'intent', $5, $6)`,
    [id, ref.turnId, ref.step, call.model, call.baseEvent, call.inputTokens],
  );
  return id;
}

/**
 * Nobody waits for these calls any more. What they cost is estimated: their input plus the deltas that were stored.
 * Answers the model of each.
 */
export async function abandonCalls(
  tx: Queryable,
  turnId: string,
  step?: string,
): Promise<string[]> {
  const calls = await tx.query<CallRow>(
    `SELECT * FROM turnkeeper.model_calls
     WHERE turn_id = $1 AND ($2::text IS NULL OR step_key = $2) AND state = 'intent'`,
    [turnId, step ?? null],
  );
  for (const call of calls) {
    const output = await estimateOutput(tx, turnId, call);
    await tx.query(
      "UPDATE turnkeeper.model_calls SET state = 'abandoned', output_tokens = $2 WHERE id = $1",
      [call.id, output],
    );
  }
  return calls.map(({ model }) => model);
}

async function estimateOutput(tx: Queryable, turnId: string, call: CallRow): Promise<number> {
  return outputTokens(await readCallEvents(tx, turnId, call));
}

function readCallEvents(tx: Queryable, turnId: string, call: CallRow): Promise<NewEvent[]> {
  return readStepEvents(tx, turnId, call.step_key, call.base_event);
}

function outputTokens(events: NewEvent[]): number {
  return Math.ceil(deltaCharacters(events) / CHARACTERS_PER_TOKEN);
}

/** A call that was refused cost nothing; one that was answered, or may have been, is estimated. */
export async function failCall(
  tx: Queryable,
  turnId: string,
  callId: string,
  failure: FailedModelCall,
): Promise<void> {
  const [call] = await tx.query<CallRow>(
    "SELECT * FROM turnkeeper.model_calls WHERE id = $1 AND turn_id = $2 AND state = 'intent'",
    [callId, turnId],
  );
  if (!call) return;
  const events = await readCallEvents(tx, turnId, call);
  const free = failure.refused && events.length === 0;
  await tx.query(
    `UPDATE turnkeeper.model_calls SET state = 'failed', request_id = $2, error = $3, estimated = $4,
       input_tokens = $5, output_tokens = $6 WHERE id = $1`,
    [
      callId,
      failure.requestId,
      failure.error,
      !free,
      free ? 0 : call.input_tokens,
      outputTokens(events),
    ],
  );
}

export async function completeCall(
  tx: Queryable,
  turnId: string,
  callId: string,
  usage: CallUsage,
): Promise<void> {
  await tx.query(
    `UPDATE turnkeeper.model_calls SET state = 'completed', estimated = false, response_id = $3, request_id = $4,
       model = $5, input_tokens = $6, cached_tokens = $7, output_tokens = $8, reasoning_tokens = $9
     WHERE turn_id = $1 AND id = $2`,
    [
      turnId,
      callId,
      usage.responseId,
      usage.requestId,
      usage.model,
      usage.inputTokens,
      usage.cachedTokens,
      usage.outputTokens,
      usage.reasoningTokens,
    ],
  );
}

export async function countFailedCalls(
  tx: Queryable,
  turnId: string,
  step: string,
): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    "SELECT count(*) FROM turnkeeper.model_calls WHERE turn_id = $1 AND step_key = $2 AND state = 'failed'",
    [turnId, step],
  );
  return row?.count ?? 0;
}

export async function readUsage(db: Queryable, turnId: string): Promise<Usage> {
  const rows = await db.query<CallRow>(
    'SELECT * FROM turnkeeper.model_calls WHERE turn_id = $1 ORDER BY number',
    [turnId],
  );
  const calls = rows.map(toCall);
  const sum = (pick: (call: ModelCall) => number) =>
    calls.reduce((total, call) => total + pick(call), 0);
  const inputTokens = sum((call) => call.inputTokens);
  const outputTokens = sum((call) => call.outputTokens);
  return {
    inputTokens,
    outputTokens,
    cachedTokens: sum((call) => call.cachedTokens),
    reasoningTokens: sum((call) => call.reasoningTokens),
    totalTokens: inputTokens + outputTokens,
    calls,
  };
}

function toCall(row: CallRow): ModelCall {
  return {
    step: row.step_key,
    model: row.model,
    state: row.state,
    estimated: row.estimated,
    responseId: row.response_id,
    requestId: row.request_id,
    inputTokens: row.input_tokens,
    cachedTokens: row.cached_tokens,
    outputTokens: row.output_tokens,
    reasoningTokens: row.reasoning_tokens,
  };
}
