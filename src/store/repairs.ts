import type { Repair, Repairs, StepRef } from '../contracts/store.ts';
import type { Queryable } from './database.ts';
import { holdStep } from './ledger.ts';

/** A step keeps so many of its repairs one by one. */
const MAX_LISTED = 100;

/** A step of its own, settled at once. Answers false when an attempt before, or the model before, has told of it. */
export async function recordRepairs(
  tx: Queryable,
  ref: StepRef,
  repairs: Repair[],
): Promise<boolean> {
  if (!(await holdStep(tx, ref))) return false;
  const kept: Repairs = { total: repairs.length, listed: repairs.slice(0, MAX_LISTED) };
  const [, round = ''] = ref.step.split(':');
  const inserted = await tx.query(
    `INSERT INTO turnkeeper.steps (turn_id, key, kind, status, attempts, result, settled_at)
     VALUES ($1, $2, 'repair', 'completed', 1, $3, now()) ON CONFLICT DO NOTHING RETURNING 1`,
    [ref.turnId, `repair:${round}`, JSON.stringify(kept)],
  );
  return inserted.length > 0;
}
