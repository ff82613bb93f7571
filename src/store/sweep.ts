import type { Sweep } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import type { Database } from './database.ts';
import { deletedConversations, markEnded, removeRows } from './deletions.ts';
import { foldEvents } from './folding.ts';
import { queueQueries } from './queue-sweep.ts';
import { unreadTurns } from './readers.ts';
import { unstoppedCalls } from './stopped-calls.ts';
import { UNREAD } from './submissions.ts';
import { OUTGROWN } from './summaries.ts';

/** What the worker looks for, over all tenants: nobody else may come by. */
export function sweepQueries(db: Database): Sweep {
  const inputs = async (where: string, params: unknown[]): Promise<TurnInput[]> => {
    const rows = await db.query<{ workflow_input: TurnInput }>(
      `SELECT workflow_input FROM turnkeeper.turns WHERE ${where} LIMIT $2`,
      params,
    );
    return rows.map((row) => row.workflow_input);
  };
  return {
    unstartedTurns: (olderThanMs, limit) =>
      inputs(
        "state = 'accepted' AND accepted_at < now() - $1 * interval '1 millisecond' ORDER BY accepted_at",
        [olderThanMs, limit],
      ),
    unreadSubmissions: ({ olderThanMs, everyMs }, limit) =>
      db.query(
        `UPDATE turnkeeper.turns SET woken_at = now() WHERE id = ANY (ARRAY(
           SELECT t.id FROM turnkeeper.turns t
           WHERE ${UNREAD} AND t.submitted_at < now() - $1 * interval '1 millisecond'
             AND (t.woken_at < now() - $2 * interval '1 millisecond' OR t.woken_at IS NULL)
           ORDER BY t.submitted_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED))
         RETURNING tenant, id AS "turnId"`,
        [olderThanMs, everyMs, limit],
      ),
    overdueTurns: (graceMs, limit) =>
      inputs(
        `state IN ('accepted', 'started') AND deadline < now() - $1 * interval '1 millisecond' ORDER BY deadline`,
        [graceMs, limit],
      ),
    unindexedDocuments: ({ olderThanMs, everyMs }, limit) =>
      db.query(
        `UPDATE turnkeeper.documents SET ingestion_checked_at = now() WHERE id = ANY (ARRAY(
           SELECT id FROM turnkeeper.documents
           WHERE status = 'stored' AND created_at < now() - $1 * interval '1 millisecond'
             AND (ingestion_checked_at < now() - $2 * interval '1 millisecond' OR ingestion_checked_at IS NULL)
           ORDER BY ingestion_checked_at NULLS FIRST, created_at
           LIMIT greatest(0, $3 - (
             SELECT count(*) FROM turnkeeper.documents
             WHERE status = 'stored' AND ingestion_checked_at >= now() - $2 * interval '1 millisecond'))
           FOR NO KEY UPDATE SKIP LOCKED))
         RETURNING tenant, id AS "documentId"`,
        [olderThanMs, everyMs, limit],
      ),
    openCompensations: ({ olderThanMs, everyMs }, limit) =>
      db.query(
        `UPDATE turnkeeper.turns SET compensation_checked_at = now() WHERE id = ANY (ARRAY(
           SELECT id FROM turnkeeper.turns
           WHERE compensation = 'requested' AND sealed_at < now() - $1 * interval '1 millisecond'
             AND (compensation_checked_at < now() - $2 * interval '1 millisecond'
               OR compensation_checked_at IS NULL)
           ORDER BY compensation_checked_at NULLS FIRST, sealed_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED))
         RETURNING tenant, id AS "turnId"`,
        [olderThanMs, everyMs, limit],
      ),
    outgrownConversations: (olderThanMs, limit) =>
      db.query(
        `SELECT tenant, id AS "conversationId" FROM turnkeeper.conversations
         WHERE ${OUTGROWN} AND summary_wanted_at < now() - $1 * interval '1 millisecond'
         ORDER BY summary_wanted_at LIMIT $2`,
        [olderThanMs, limit],
      ),
    unreadTurns: (limit) => unreadTurns(db, limit),
    unstoppedCalls: (everyMs, limit) => unstoppedCalls(db, everyMs, limit),
    ...queueQueries(db),
    deletedConversations: (olderThanMs, limit) => deletedConversations(db, olderThanMs, limit),
    markEnded: (conversationId) => markEnded(db, conversationId),
    removeRows: (conversation, limit) => removeRows(db, conversation, limit),
    foldEvents: (olderThanMs, limit) => db.transaction((tx) => foldEvents(tx, olderThanMs, limit)),
  };
}
