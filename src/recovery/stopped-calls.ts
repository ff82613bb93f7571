import type { StoppableCall, Sweep } from '../contracts/store.ts';
import type { Chore } from './chores.ts';

const BATCH = 20;
/** The first pause before a provider that could not be told is told again, milliseconds. */
const RETRY_MS = 60_000;

/**
 * Has providers told to stop what they go on generating for nobody, where whoever gave it up could not: a client has no
 * model, and a worker may die. `stop` answers whether it was told, and never rejects.
 */
export function stopCallsChore(
  sweep: Pick<Sweep, 'unstoppedCalls'>,
  stop: (call: StoppableCall) => Promise<boolean>,
): Chore {
  return {
    name: 'stop abandoned responses',
    async run() {
      const calls = await sweep.unstoppedCalls(RETRY_MS, BATCH);
      const told = await Promise.all(calls.map(stop));
      return told.filter(Boolean).length;
    },
  };
}
