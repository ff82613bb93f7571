import type { Overlooked } from '../contracts/store.ts';
import type { Queryable } from './database.ts';
import { UNREAD } from './submissions.ts';
import { OUTGROWN } from './summaries.ts';
import { NOT_DELETED } from './turn-rows.ts';

/** Counts what sweeps should have come to long ago. */
export async function overlooked(db: Queryable, olderThanMs: number): Promise<Overlooked> {
  const before = (column: string) => `${column} < now() - $1 * interval '1 millisecond'`;
  const count = (table: string, where: string) =>
    `(SELECT count(*) FROM turnkeeper.${table} t WHERE ${where})`;
  const turns = (where: string) => count('turns', `${where} AND ${NOT_DELETED}`);
  const open = "t.state IN ('accepted', 'started')";
  const counts: Record<keyof Overlooked, string> = {
    unstartedTurns: turns(`t.state = 'accepted' AND ${before('t.accepted_at')}`),
    overdueTurns: turns(`${open} AND ${before('t.deadline')}`),
    lateQueuedTurns: turns(`t.state = 'queued' AND ${before('t.deadline')}`),
    cancellingTurns: turns(`${open} AND ${before('t.cancelling_at')}`),
    unreadSubmissions: turns(`${UNREAD} AND ${before('t.submitted_at')}`),
    compensations: turns(`t.compensation = 'requested' AND ${before('t.sealed_at')}`),
    summaries: count('conversations', `${OUTGROWN} AND ${before('t.summary_wanted_at')}`),
    documents: count('documents', `t.status = 'stored' AND ${before('t.created_at')}`),
    deletions: count('conversations', before('t.deleted_at')),
    responses: count('model_calls', before('t.stop_at')),
  };
  const columns = Object.entries(counts).map(([name, sql]) => `${sql} AS "${name}"`);
  const [row] = await db.query<Overlooked>(`SELECT ${columns.join(', ')}`, [olderThanMs]);
  if (!row) throw new Error('A query of counts has no row.');
  return row;
}
