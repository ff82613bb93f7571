import type { Repair, StepRef } from '../contracts/store.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** What the model is not shown as it is stored becomes a step of the turn and one line of the log. */
export async function tellRepairs(
  { store, logger }: Pick<ActivityDependencies, 'store' | 'logger'>,
  ref: StepRef,
  repairs: Repair[],
): Promise<void> {
  if (repairs.length === 0 || !(await store.steps.recordRepairs(ref, repairs))) return;
  const { tenant, turnId: turn, step } = ref;
  const rules = Object.fromEntries(countByRule(repairs));
  logger.warn('history repaired', { tenant, turn, step, repairs: repairs.length, rules });
}

function countByRule(repairs: Repair[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { rule } of repairs) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return counts;
}
