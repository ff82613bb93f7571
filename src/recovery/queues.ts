import type { CancellingTurn, TurnRef } from '../contracts/store.ts';
import type { Chore } from './chores.ts';
import { countDone } from './each.ts';
import { heal } from './heal.ts';
import { insistOnEnd } from './interrupt.ts';
import { sealAndHandOver, turnFields, type Recovery } from './recovery.ts';

const BATCH = 100;
/** How long whoever interrupts a turn has to cancel its workflow, milliseconds. */
const CANCEL_GRACE_MS = 5_000;
/** Asked to end, a turn has so long; then it is sealed over its workflow. */
const CANCEL_PATIENCE_MS = 30_000;
/** How often Temporal is asked about a turn that others wait for. */
const ASK = { olderThanMs: 5_000, everyMs: 5_000 };

/**
 * Keeps queues moving: ends turns that have waited for too long, and turns that others wait for whose workflow is gone, or
 * does not end though it was asked to.
 */
export function queueChore(parts: Recovery): Chore {
  const { sweep } = parts.store;
  return {
    name: 'keep queues moving',
    async run() {
      const late = await sweep.overdueQueued(BATCH);
      const awaited = await sweep.awaitedTurns(ASK, BATCH);
      const cancelling = await sweep.cancellingTurns(CANCEL_GRACE_MS, BATCH);
      return (
        (await countOf(parts, late, (turn) => expireQueued(parts, turn))) +
        (await countOf(parts, awaited, (turn) => healAwaited(parts, turn))) +
        (await countOf(parts, cancelling, (turn) => cancelAgain(parts, turn)))
      );
    },
  };
}

/** How many the work did something for. */
function countOf<T extends TurnRef>(
  { logger }: Recovery,
  turns: T[],
  work: (turn: T) => Promise<boolean>,
): Promise<number> {
  return countDone(turns, work, (turn, error) =>
    logger.warn('queue not kept moving', turnFields(turn, error)),
  );
}

async function expireQueued(parts: Recovery, { tenant, turnId }: TurnRef): Promise<boolean> {
  return (await sealAndHandOver(parts, tenant, turnId, { status: 'expired' })) !== null;
}

async function healAwaited(parts: Recovery, { tenant, turnId }: TurnRef): Promise<boolean> {
  return await heal(parts, tenant, await parts.store.turns.get(tenant, turnId));
}

async function cancelAgain(
  parts: Recovery,
  { cancellingForMs: askedForMs, ...turn }: CancellingTurn,
): Promise<boolean> {
  const reason = 'Another turn was to come in its place, and its workflow did not end.';
  await insistOnEnd(parts, { ...turn, askedForMs }, { patienceMs: CANCEL_PATIENCE_MS, reason });
  return true;
}
