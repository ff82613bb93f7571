import type { CallUsage, StepRef, StoppableCall } from '../contracts/store.ts';
import type { Queryable } from './database.ts';
import { REAL_USAGE, realUsage, STOP_SOON } from './model-calls.ts';

/** Within a day, as each pause is twice the one before. */
const MAX_TRIES = 11;

/** The last time that a call is handed out, it is let go of. */
export function unstoppedCalls(
  db: Queryable,
  everyMs: number,
  limit: number,
): Promise<StoppableCall[]> {
  return db.query(
    `UPDATE turnkeeper.model_calls c SET stop_tries = stop_tries + 1,
       stop_at = CASE WHEN stop_tries + 1 < ${MAX_TRIES}
         THEN now() + $1 * 2 ^ stop_tries * interval '1 millisecond' END
     FROM turnkeeper.turns t
     WHERE t.id = c.turn_id AND c.id = ANY (ARRAY(
       SELECT id FROM turnkeeper.model_calls WHERE stop_at <= now()
       ORDER BY stop_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED))
     RETURNING t.tenant, t.id AS "turnId", c.id AS "callId", c.response_id AS "responseId", c.model`,
    [everyMs, limit],
  );
}

/** A call that was abandoned stays so, but what it cost is no estimate any more. */
export async function settleAbandoned(
  db: Queryable,
  tenant: string,
  turnId: string,
  callId: string,
  usage: CallUsage,
): Promise<void> {
  await db.query(
    `UPDATE turnkeeper.model_calls SET stop_at = NULL, ${REAL_USAGE}
     WHERE turn_id = $1 AND id = $2 AND state = 'abandoned'
       AND EXISTS (SELECT 1 FROM turnkeeper.turns WHERE id = $1 AND tenant = $10)`,
    [turnId, callId, ...realUsage(usage), tenant],
  );
}

export async function markStopped(
  db: Queryable,
  tenant: string,
  turnId: string,
  callId: string,
): Promise<void> {
  await db.query(
    `UPDATE turnkeeper.model_calls SET stop_at = NULL
     WHERE turn_id = $1 AND id = $2 AND state = 'abandoned'
       AND EXISTS (SELECT 1 FROM turnkeeper.turns WHERE id = $1 AND tenant = $3)`,
    [turnId, callId, tenant],
  );
}

/**
 * Nobody can go on with a call that was abandoned without its id, nor with one whose step has gone to another attempt
 * before the id was stored. What was stored by a commit whose answer was lost is seen here: the fence was raised later.
 */
export async function identifyOrphan(
  db: Queryable,
  { tenant, turnId, step, fence }: StepRef,
  callId: string,
  responseId: string,
): Promise<boolean> {
  const noted = await db.query(
    `UPDATE turnkeeper.model_calls c SET response_id = $5, stop_at = ${STOP_SOON}
     FROM turnkeeper.turns t JOIN turnkeeper.steps s ON s.turn_id = t.id
     WHERE t.tenant = $1 AND t.id = $2 AND s.key = $3 AND c.turn_id = t.id AND c.id = $4 AND c.step_key = s.key
       AND c.background AND c.response_id IS NULL
       AND (c.state = 'abandoned' OR (
         c.state = 'intent' AND (s.fence_ms, s.fence_attempt) <> ($6, $7) AND NOT EXISTS (
           SELECT 1 FROM turnkeeper.events e
           WHERE e.turn_id = t.id AND e.step_key = s.key AND e.seq > c.base_event)))
     RETURNING 1`,
    [tenant, turnId, step, callId, responseId, fence.scheduledMs, fence.attempt],
  );
  return noted.length > 0;
}
