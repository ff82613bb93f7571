import { LEASE_MS, type UnreadTurn } from '../contracts/store.ts';
import type { Chore } from './chores.ts';
import { each } from './each.ts';
import { insistOnEnd } from './interrupt.ts';
import { turnFields, type Recovery } from './recovery.ts';

const BATCH = 100;
/** A workflow that was asked to end has so long; then the turn is sealed over it. */
const PATIENCE_MS = 10_000;

/**
 * Cancels turns that end without readers, once those have been gone for long enough. When the database was away, readers
 * could not say that they are there: they have a lease's time to catch up.
 */
export function unreadTurnsChore(parts: Recovery): Chore {
  let databaseSince: number | null = null;
  const look = async (limit: number) => {
    try {
      const turns = await parts.store.sweep.unreadTurns(limit);
      databaseSince ??= Date.now();
      return turns;
    } catch (error) {
      databaseSince = null;
      throw error;
    }
  };
  return {
    name: 'cancel unread turns',
    async run() {
      const settled = databaseSince !== null && Date.now() - databaseSince >= LEASE_MS;
      const turns = await look(settled ? BATCH : 0);
      const { done } = await each(
        turns,
        (turn) => cancelUnread(parts, turn),
        (turn, error) => parts.logger.warn('unread turn not cancelled', turnFields(turn, error)),
      );
      return done;
    },
  };
}

/** Like a user's cancellation, which also reaches the model; past its time, over the workflow's head. */
async function cancelUnread(
  parts: Recovery,
  { foundForMs: askedForMs, ...turn }: UnreadTurn,
): Promise<void> {
  const reason = 'The turn was cancelled, for nobody read it, and its workflow did not end.';
  await insistOnEnd(parts, { ...turn, askedForMs }, { patienceMs: PATIENCE_MS, reason });
}
