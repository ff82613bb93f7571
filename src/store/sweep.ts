import type { Sweep } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import type { Database } from './database.ts';

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
    overdueTurns: (graceMs, limit) =>
      inputs(
        `state IN ('accepted', 'started') AND deadline < now() - $1 * interval '1 millisecond' ORDER BY deadline`,
        [graceMs, limit],
      ),
    unindexedDocuments: (olderThanMs, limit) =>
      db.query(
        `SELECT tenant, id AS "documentId" FROM turnkeeper.documents
         WHERE status = 'stored' AND created_at < now() - $1 * interval '1 millisecond'
         ORDER BY created_at LIMIT $2`,
        [olderThanMs, limit],
      ),
    openCompensations: (olderThanMs, limit) =>
      db.query(
        `SELECT tenant, id AS "turnId" FROM turnkeeper.turns
         WHERE compensation = 'requested' AND sealed_at < now() - $1 * interval '1 millisecond'
         ORDER BY sealed_at LIMIT $2`,
        [olderThanMs, limit],
      ),
    outgrownConversations: (olderThanMs, limit) =>
      db.query(
        `SELECT tenant, id AS "conversationId" FROM turnkeeper.conversations
         WHERE summary_wanted > summary_through AND summary_wanted_at < now() - $1 * interval '1 millisecond'
         ORDER BY summary_wanted_at LIMIT $2`,
        [olderThanMs, limit],
      ),
  };
}
