import type { ActionKind, NewAction } from '../contracts/actions.ts';
import { StepRefused } from '../contracts/store.ts';
import type { NewEvent, SettleResponse, StepRef } from '../contracts/store.ts';
import type { Queryable } from './database.ts';
import { appendInTransaction } from './events.ts';

/** Before the step is locked, as everywhere. */
export async function lockWaiting(tx: Queryable, { turnId }: StepRef): Promise<void> {
  await tx.query('SELECT 1 FROM turnkeeper.turns WHERE id = $1 FOR NO KEY UPDATE', [turnId]);
}

/**
 * The turn begins to wait, in the transaction that settles its model call: its deadline moves, and what is left of its
 * own time is kept for afterwards. Whoever calls this has locked the turn.
 */
export async function requireActions(
  tx: Queryable,
  { turnId }: StepRef,
  { actions, timeoutMs }: NonNullable<SettleResponse['waiting']>,
): Promise<void> {
  const [turn] = await tx.query<{ deadline: Date }>(
    `UPDATE turnkeeper.turns SET status = 'requires_action',
       time_left_ms = greatest(0, extract(epoch FROM deadline - clock_timestamp()) * 1000)::bigint,
       deadline = clock_timestamp() + $2 * interval '1 millisecond'
     WHERE id = $1 RETURNING deadline`,
    [turnId, timeoutMs],
  );
  if (!turn) throw new StepRefused('turn_not_found', `The store has no turn ${turnId}.`);
  await Promise.all([
    tx.query(
      `INSERT INTO turnkeeper.actions (turn_id, call_id, kind, state, deadline)
       SELECT $1, a.call_id, a.kind, 'pending', $4 FROM unnest($2::text[], $3::text[]) AS a (call_id, kind)`,
      [turnId, actions.map(({ callId }) => callId), actions.map(({ kind }) => kind), turn.deadline],
    ),
    appendInTransaction(tx, turnId, null, [actionsEvent(actions, turn.deadline)]),
  ]);
}

function actionsEvent(actions: NewAction[], deadline: Date): NewEvent {
  const calls = actions.map(({ callId, ...rest }) => ({ call_id: callId, ...rest }));
  return { type: 'turn.requires_action', calls, deadline: deadline.toISOString() };
}

/** Behind a turn nothing waits any more. Answers what the calls that nobody had decided waited for. */
export async function closeActions(
  tx: Queryable,
  turnId: string,
): Promise<Map<string, ActionKind>> {
  const closed = await tx.query<{ call_id: string; kind: ActionKind }>(
    `UPDATE turnkeeper.actions SET state = 'closed' WHERE turn_id = $1 AND state = 'pending'
     RETURNING call_id, kind`,
    [turnId],
  );
  return new Map(closed.map(({ call_id: callId, kind }) => [callId, kind]));
}
