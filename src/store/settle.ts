import type { Item, Json } from '../contracts/json.ts';
import type { Passage } from '../contracts/retrieval.ts';
import { StepRefused } from '../contracts/store.ts';
import type { SettleResponse, StepFailure, StepRef } from '../contracts/store.ts';
import type { Queryable } from './database.ts';
import { appendInTransaction } from './events.ts';
import { holdStep, rewindTo, type StepRow } from './ledger.ts';
import { completeCall } from './model-calls.ts';
import { lockWaiting, requireActions } from './require-actions.ts';
import { insertPassages, readSources } from './passages.ts';
import { stepSettled } from './step-events.ts';
import { askForSummary } from './summaries.ts';

export async function settleRetrieval(
  tx: Queryable,
  ref: StepRef,
  passages: Passage[],
): Promise<number> {
  const step = await holdStep(tx, ref);
  if (!step) return (await readSources(tx, ref.turnId)).length;
  const kept = await insertPassages(tx, ref, passages);
  const found = { passages: kept };
  await Promise.all([
    settle(tx, ref, { status: 'completed', result: found }),
    appendInTransaction(tx, ref.turnId, ref.step, [stepSettled(step, 'completed', found)]),
  ]);
  return kept;
}

/** Last events, items, usage and settlement of a model call: all of it or nothing. */
export async function settleResponse(
  tx: Queryable,
  ref: StepRef,
  response: SettleResponse,
): Promise<void> {
  // The conversation is locked before the step, as everywhere.
  const [conversation, , step] = await Promise.all([
    reservePositions(tx, ref.turnId, response.items),
    response.waiting && lockWaiting(tx, ref),
    holdStep(tx, ref),
  ]);
  if (!step) return;
  const { items, events, usage, summarize, reply, toolDefinitions, rewind } = response;
  await Promise.all([
    insertOutput(tx, ref, conversation, items),
    rewind && rewindShown(tx, ref, step),
    appendInTransaction(tx, ref.turnId, ref.step, [...events, stepSettled(step, 'completed')]),
    usage && completeCall(tx, ref.turnId, usage.callId, usage.call),
    summarize !== null && askForSummary(tx, ref.turnId, summarize),
    settle(tx, ref, { status: 'completed', result: reply as unknown as Json, toolDefinitions }),
    response.waiting && requireActions(tx, ref, response.waiting),
  ]);
}

export interface Positions {
  conversationId: string;
  first: number;
}

/** Room for the items, and behind them for the output of each call among them. */
export async function reservePositions(
  tx: Queryable,
  turnId: string,
  items: Item[],
): Promise<Positions> {
  const room = items.length + items.filter(isCall).length;
  const [row] = await tx.query<{ id: string; first: number }>(
    `UPDATE turnkeeper.conversations SET next_position = next_position + $2
     WHERE id = (SELECT conversation_id FROM turnkeeper.turns WHERE id = $1)
     RETURNING id, next_position - $2 AS first`,
    [turnId, room],
  );
  if (!row) throw new StepRefused('turn_not_found', `The store has no turn ${turnId}.`);
  return { conversationId: row.id, first: row.first };
}

export async function insertOutput(
  tx: Queryable,
  { turnId, step }: { turnId: string; step: string | null },
  { conversationId, first }: Positions,
  items: Item[],
): Promise<void> {
  if (items.length === 0) return;
  let outputPosition = first + items.length;
  const outputs = items.map((item) => (isCall(item) ? outputPosition++ : null));
  await tx.query(
    `INSERT INTO turnkeeper.items (conversation_id, position, turn_id, step_key, type, call_id, output_position, item)
     SELECT $1, $2::bigint + i.n - 1, $3, $4, i.type, i.call_id, i.output, i.item
     FROM unnest($5::text[], $6::text[], $7::bigint[], $8::json[])
       WITH ORDINALITY AS i (type, call_id, output, item, n)`,
    [
      conversationId,
      first,
      turnId,
      step,
      items.map((item) => item.type),
      items.map((item) => (isCall(item) ? String(item['call_id']) : null)),
      outputs,
      items.map((item) => JSON.stringify(item)),
    ],
  );
}

function isCall(item: Item): boolean {
  return item.type === 'function_call';
}

/** Puts the output at the place that was reserved for it when its call was stored. */
export async function insertToolOutput(
  tx: Queryable,
  turnId: string,
  { callId, output, step }: { callId: string; output: string; step: string },
): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.items (conversation_id, position, turn_id, step_key, type, call_id, item)
     SELECT conversation_id, output_position, turn_id, $3, 'function_call_output', call_id, $4
     FROM turnkeeper.items WHERE turn_id = $1 AND call_id = $2 AND type = 'function_call'`,
    [
      turnId,
      callId,
      step,
      JSON.stringify({ type: 'function_call_output', call_id: callId, output }),
    ],
  );
}

/** The step came to nothing. What readers saw of it is taken back. */
export async function settleFailure(
  tx: Queryable,
  ref: StepRef,
  failure: StepFailure,
  result: Json = null,
): Promise<void> {
  const step = await holdStep(tx, ref);
  if (!step) return;
  const { reason } = failure;
  await Promise.all([
    rewindShown(tx, ref, step),
    settle(tx, ref, { status: 'failed', result, error: failure }),
    appendInTransaction(tx, ref.turnId, ref.step, [stepSettled(step, 'failed', { reason })]),
  ]);
}

async function rewindShown(tx: Queryable, ref: StepRef, step: StepRow): Promise<void> {
  if (step.kind === 'respond' && step.appended > 0)
    await appendInTransaction(tx, ref.turnId, null, [rewindTo(step.base_event)]);
}

export async function settle(
  tx: Queryable,
  { turnId, step }: StepRef,
  end: {
    status: 'completed' | 'failed';
    result: Json;
    error?: StepFailure | null;
    toolDefinitions?: Json;
  },
): Promise<void> {
  await tx.query(
    `UPDATE turnkeeper.steps SET status = $3, result = $4, error = $5, tool_definitions = $6,
       settled_at = now() WHERE turn_id = $1 AND key = $2`,
    [
      turnId,
      step,
      end.status,
      JSON.stringify(end.result),
      end.error ? JSON.stringify(end.error) : null,
      end.toolDefinitions ? JSON.stringify(end.toolDefinitions) : null,
    ],
  );
}
