import { compensationId } from '../contracts/starter.ts';
import type { CompensateInput } from '../contracts/turn.ts';
import type { Recovery } from './recovery.ts';

const LOST = {
  reason: 'workflow_lost',
  message: "The compensation's workflow has closed without having settled this effect.",
};

/**
 * What whoever meets a compensation that is not closed does for it: starts it when Temporal does not know of it, leaves it
 * alone while it runs, and ends it when its workflow has closed, as when an operator terminated it. Effects are undone
 * once: it is not started again, and the steps of the effects that are left say so.
 */
export async function healCompensation(
  { store, starter, logger }: Recovery,
  input: CompensateInput,
): Promise<void> {
  const { tenant, turnId } = input;
  const execution = await starter.executionState(compensationId(turnId));
  if (execution === 'not_found') await starter.startCompensation(input);
  if (execution !== 'closed') return;
  const left = await store.compensations.effects(tenant, turnId);
  // Told before it is closed: nobody comes back to one that is.
  if (left.length > 0) logger.error('compensation lost', { tenant, turnId, effects: left.length });
  await store.compensations.abandon(tenant, turnId, LOST);
}
