import type { NewEvent } from '../contracts/store.ts';
import { foldDeltas, type FoldedRun } from '../conversation/fold-events.ts';
import type { Queryable } from './database.ts';

interface EventRow {
  turn_id: string;
  number: number;
  event: NewEvent;
}

/**
 * Folds the deltas of turns that ended so long ago, in the order in which they ended. Answers how many turns: none are
 * left when they are fewer than `limit`. Turns that another worker has in hand are passed over.
 */
export async function foldEvents(
  tx: Queryable,
  olderThanMs: number,
  limit: number,
): Promise<number> {
  const turns = await tx.query<{ id: string }>(
    `SELECT id FROM turnkeeper.turns
     WHERE state = 'sealed' AND folded_at IS NULL AND sealed_at < now() - $1 * interval '1 millisecond'
     ORDER BY sealed_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
    [olderThanMs, limit],
  );
  if (turns.length === 0) return 0;
  const ids = turns.map(({ id }) => id);
  const events = await readEvents(tx, ids);
  await Promise.all([
    replaceRuns(
      tx,
      ids.flatMap((id) => runsOf(id, events)),
    ),
    tx.query('UPDATE turnkeeper.turns SET folded_at = now() WHERE id = ANY ($1)', [ids]),
  ]);
  return turns.length;
}

/** In the order of each turn. No query looks into an event: JSON may hold what SQL's text cannot. */
function readEvents(tx: Queryable, turnIds: string[]): Promise<EventRow[]> {
  return tx.query(
    `SELECT turn_id, seq AS number, event FROM turnkeeper.events
     WHERE turn_id = ANY ($1) ORDER BY turn_id, seq`,
    [turnIds],
  );
}

interface RunOfTurn extends FoldedRun {
  turnId: string;
}

function runsOf(turnId: string, events: EventRow[]): RunOfTurn[] {
  const own = events.filter((event) => event.turn_id === turnId);
  return foldDeltas(own).map((run) => ({ ...run, turnId }));
}

async function replaceRuns(tx: Queryable, runs: RunOfTurn[]): Promise<void> {
  if (runs.length === 0) return;
  await tx.query(
    `WITH run AS (
       SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::json[]) AS r (turn_id, first, last, event)
     ), removed AS (
       DELETE FROM turnkeeper.events e USING run
       WHERE e.turn_id = run.turn_id AND e.seq >= run.first AND e.seq < run.last
     )
     UPDATE turnkeeper.events e SET event = run.event FROM run
     WHERE e.turn_id = run.turn_id AND e.seq = run.last`,
    [
      runs.map(({ turnId }) => turnId),
      runs.map(({ from }) => from),
      runs.map(({ to }) => to),
      runs.map(({ event }) => JSON.stringify(event)),
    ],
  );
}
