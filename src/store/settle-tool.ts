import type { SettleTool, StepRef } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { fenced, holdStep } from './ledger.ts';
import { stepSettled } from './step-events.ts';

/** Stores the outcome of a call, its output at the place reserved for it, and the event that tells of it. */
export async function settleTool(db: Database, ref: StepRef, call: SettleTool): Promise<void> {
  if (await settleHeld(db, ref, call)) return;
  const step = await db.transaction((tx) => holdStep(tx, ref));
  if (step) throw fenced(ref);
}

/**
 * One statement, for the turn waits for it. Its conditions are on the row that it updates, so that they are checked again
 * once it has waited for a lock. Answers false, and has changed nothing, when this attempt does not hold an open step.
 */
async function settleHeld(db: Queryable, ref: StepRef, call: SettleTool): Promise<boolean> {
  const { callId, name, outcome, effect, output, error } = call;
  const status = outcome === 'succeeded' ? 'completed' : 'failed';
  const told = {
    key: ref.step,
    kind: 'tool',
    model: null,
    call_id: callId,
    tool_name: name,
  } as const;
  const settled = await db.query(
    `WITH step AS (
       UPDATE turnkeeper.steps s SET status = $6, outcome = $7, error = $8, settled_at = now(),
         result = CASE WHEN s.compensable THEN $9::json ELSE $10::json END,
         compensable = s.compensable AND $11
       FROM turnkeeper.turns t
       WHERE t.tenant = $1 AND t.id = $2 AND s.turn_id = $2 AND s.key = $3
         AND s.status = 'open' AND s.fence_ms = $4 AND s.fence_attempt = $5
       RETURNING s.turn_id, s.key
     ), output AS (
       INSERT INTO turnkeeper.items (conversation_id, position, turn_id, step_key, type, call_id, item)
       SELECT c.conversation_id, c.output_position, c.turn_id, step.key, 'function_call_output', c.call_id, $13
       FROM step JOIN turnkeeper.items c
         ON c.turn_id = step.turn_id AND c.call_id = $12 AND c.type = 'function_call'
     ), sequence AS (
       UPDATE turnkeeper.event_sequences q SET next_seq = q.next_seq + 1 FROM step
       WHERE q.turn_id = step.turn_id RETURNING q.next_seq - 1 AS seq
     )
     INSERT INTO turnkeeper.events (turn_id, seq, step_key, event)
     SELECT step.turn_id, sequence.seq, step.key, $14 FROM step, sequence RETURNING 1`,
    [
      ref.tenant,
      ref.turnId,
      ref.step,
      ref.fence.scheduledMs,
      ref.fence.attempt,
      status,
      outcome,
      error && JSON.stringify(error),
      // Whoever undoes it needs to know what it returned, and not as the model was told.
      JSON.stringify({ outcome, ...effect }),
      JSON.stringify({ outcome }),
      effect !== null || outcome === 'unknown',
      callId,
      JSON.stringify({ type: 'function_call_output', call_id: callId, output }),
      JSON.stringify(stepSettled(told, status, { outcome })),
    ],
  );
  return settled.length > 0;
}
