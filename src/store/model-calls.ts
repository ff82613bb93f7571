import type {
  AbandonedCall,
  CallUsage,
  FailedModelCall,
  IntendedCall,
  ModelCall,
  NewEvent,
  RunningCall,
  StepRef,
} from '../contracts/store.ts';
import { v7 } from 'uuid';
import { responseIdOf } from '../conversation/collect.ts';
import { deltaCharacters } from '../conversation/fold.ts';
import type { Queryable } from './database.ts';
import { readStepEvents } from './events.ts';

export interface CallRow {
  id: string;
  step_key: string;
  model: string;
  state: ModelCall['state'];
  estimated: boolean;
  background: boolean;
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

/** Whoever has given a response up tells its provider at once; a sweep, where nothing came of that. */
export const STOP_SOON = "now() + interval '5 seconds'";

/**
 * The intent of a step's first call, in one statement, under the step's lock. Answers null, and has changed nothing,
 * when there was a call before or the attempt does not hold the step.
 */
export async function insertFirstIntent(
  db: Queryable,
  ref: StepRef,
  call: IntendedCall,
): Promise<string | null> {
  const id = v7();
  const inserted = await db.query(
    `WITH step AS (
       SELECT s.* FROM turnkeeper.steps s JOIN turnkeeper.turns t ON t.id = s.turn_id
       WHERE t.tenant = $2 AND s.turn_id = $3 AND s.key = $4 FOR NO KEY UPDATE OF s
     )
     INSERT INTO turnkeeper.model_calls (id, turn_id, step_key, model, state, base_event, input_tokens, background)
     SELECT $1, turn_id, key, $7, 'intent', base_event + appended, $8, $9 FROM step
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
      call.background ?? false,
    ],
  );
  return inserted.length > 0 ? id : null;
}

/** The intent goes into the database before the create goes out: a call that was sent is always known. */
export async function insertIntent(
  tx: Queryable,
  ref: StepRef,
  call: IntendedCall & { baseEvent: number },
): Promise<string> {
  const id = v7();
  await tx.query(
    `INSERT INTO turnkeeper.model_calls (id, turn_id, step_key, model, state, base_event, input_tokens, background)
     VALUES ($1, $2, $3, $4, 'intent', $5, $6, $7)`,
    [
      id,
      ref.turnId,
      ref.step,
      call.model,
      call.baseEvent,
      call.inputTokens,
      call.background ?? false,
    ],
  );
  return id;
}

/**
 * Nobody waits for these calls any more. What they cost is estimated: their input plus the deltas that were stored.
 */
export async function abandonCalls(
  tx: Queryable,
  turnId: string,
  step?: string,
): Promise<AbandonedCall[]> {
  const calls = await tx.query<CallRow>(
    `SELECT * FROM turnkeeper.model_calls
     WHERE turn_id = $1 AND ($2::text IS NULL OR step_key = $2) AND state = 'intent'`,
    [turnId, step ?? null],
  );
  const abandoned: AbandonedCall[] = [];
  for (const call of calls) abandoned.push(await abandonCall(tx, turnId, call));
  return abandoned;
}

async function abandonCall(tx: Queryable, turnId: string, call: CallRow): Promise<AbandonedCall> {
  const events = await readCallEvents(tx, turnId, call);
  const responseId = responseIdOf(events) ?? call.response_id;
  const { id: callId, model, background } = call;
  const runs = background && responseId !== null;
  await tx.query(
    `UPDATE turnkeeper.model_calls SET state = 'abandoned', response_id = $2, output_tokens = $3,
       stop_at = CASE WHEN $4 THEN ${STOP_SOON} END WHERE id = $1`,
    [callId, responseId, outputTokens(events), runs],
  );
  return { callId, model, background, responseId };
}

/** The background call of a step that an earlier attempt began, where the provider's id of it was stored. */
export async function findRunning(
  tx: Queryable,
  turnId: string,
  step: string,
): Promise<Omit<RunningCall, 'appended'> | null> {
  const [call] = await tx.query<CallRow>(
    `SELECT * FROM turnkeeper.model_calls
     WHERE turn_id = $1 AND step_key = $2 AND state = 'intent' AND background`,
    [turnId, step],
  );
  if (!call) return null;
  const events = await readCallEvents(tx, turnId, call);
  const responseId = responseIdOf(events);
  if (responseId === null) return null;
  const failedCalls = await countFailedCalls(tx, turnId, step);
  return { callId: call.id, responseId, events, inputTokens: call.input_tokens, failedCalls };
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
       input_tokens = $5, output_tokens = $6, response_id = $7 WHERE id = $1`,
    [
      callId,
      failure.requestId,
      failure.error,
      !free,
      free ? 0 : call.input_tokens,
      outputTokens(events),
      responseIdOf(events),
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
    `UPDATE turnkeeper.model_calls SET state = 'completed', ${REAL_USAGE} WHERE turn_id = $1 AND id = $2`,
    [turnId, callId, ...realUsage(usage)],
  );
}

export const REAL_USAGE = `estimated = false, response_id = $3, request_id = $4,
       model = $5, input_tokens = $6, cached_tokens = $7, output_tokens = $8, reasoning_tokens = $9`;

export function realUsage(usage: CallUsage): unknown[] {
  return [
    usage.responseId,
    usage.requestId,
    usage.model,
    usage.inputTokens,
    usage.cachedTokens,
    usage.outputTokens,
    usage.reasoningTokens,
  ];
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
