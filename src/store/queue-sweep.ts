import type { Sweep } from '../contracts/store.ts';
import type { Queryable } from './database.ts';

/** What queues need somebody to look after, over all tenants. */
export function queueQueries(
  db: Queryable,
): Pick<Sweep, 'overdueQueued' | 'awaitedTurns' | 'cancellingTurns'> {
  return {
    overdueQueued: (limit) =>
      db.query(
        `SELECT tenant, id AS "turnId" FROM turnkeeper.turns
         WHERE state = 'queued' AND deadline < now() ORDER BY deadline LIMIT $1`,
        [limit],
      ),
    awaitedTurns: ({ olderThanMs, everyMs }, limit) =>
      db.query(
        `UPDATE turnkeeper.turns SET holder_checked_at = now() WHERE id = ANY (ARRAY(
           SELECT id FROM turnkeeper.turns
           WHERE id = ANY (ARRAY(
               SELECT active_turn FROM turnkeeper.conversations
               WHERE id = ANY (ARRAY(SELECT DISTINCT conversation_id FROM turnkeeper.queue))))
             AND state = 'started' AND started_at < now() - $1 * interval '1 millisecond'
             AND (holder_checked_at < now() - $2 * interval '1 millisecond' OR holder_checked_at IS NULL)
           ORDER BY holder_checked_at NULLS FIRST, number LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED))
         RETURNING tenant, id AS "turnId"`,
        [olderThanMs, everyMs, limit],
      ),
    cancellingTurns: (olderThanMs, limit) =>
      db.query(
        `SELECT tenant, id AS "turnId", state = 'started' AS started,
           (extract(epoch FROM now() - cancelling_at) * 1000)::float8 AS "cancellingForMs"
         FROM turnkeeper.turns
         WHERE cancelling_at < now() - $1 * interval '1 millisecond' AND state IN ('accepted', 'started')
         ORDER BY cancelling_at LIMIT $2`,
        [olderThanMs, limit],
      ),
  };
}
