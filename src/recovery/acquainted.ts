import type { Recovery } from './recovery.ts';

const NEWEST = 5;

/**
 * Whether Temporal knows one of the newest turns that were started. One that knows none has lost its data, or is another
 * one, or another namespace, than that of these turns.
 */
export async function isAcquainted({
  store,
  starter,
}: Pick<Recovery, 'store' | 'starter'>): Promise<boolean> {
  for (const turnId of await store.checkup.newestStarted(NEWEST))
    if ((await starter.executionState(turnId)) !== 'not_found') return true;
  return false;
}
