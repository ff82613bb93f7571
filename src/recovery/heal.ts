import type { ExecutionState } from '../contracts/starter.ts';
import type { Turn } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import {
  expire,
  OVERDUE_GRACE_MS,
  sealAndHandOver,
  startOrLeave,
  turnFields,
  type Recovery,
} from './recovery.ts';

/**
 * What whoever meets an unfinished turn does for it: ends it a minute past its deadline, starts it when it was accepted
 * only, and ends it when it was started but Temporal has no running workflow for it. Answers whether the turn is sealed
 * now. Without `input` an accepted turn is left to the sweep. When Temporal cannot be asked, nothing is done. For a queued
 * turn it does the same for the one that it waits for, or ends it when it has waited for too long.
 */
export async function heal(
  parts: Recovery,
  tenant: string,
  turn: Turn,
  input?: TurnInput,
): Promise<boolean> {
  if (turn.state === 'sealed') return true;
  if (turn.state === 'queued') return await healQueued(parts, tenant, turn);
  // The database's clock decides: a refused expiry falls through to the other remedies.
  if (isOverdue(turn) && (await expire(parts, tenant, turn.id))) return true;
  if (turn.state === 'accepted' && input) await startOrLeave(parts, input);
  return turn.state === 'started' && (await sealIfLost(parts, tenant, turn.id));
}

async function healQueued(parts: Recovery, tenant: string, turn: Turn): Promise<boolean> {
  const late = Date.now() >= turn.deadline.getTime();
  if (late && (await sealAndHandOver(parts, tenant, turn.id, { status: 'expired' }))) return true;
  const { activeTurn } = await parts.store.conversations.get(tenant, turn.conversationId);
  if (activeTurn !== null && activeTurn !== turn.id)
    await heal(parts, tenant, await parts.store.turns.get(tenant, activeTurn));
  return false;
}

function isOverdue(turn: Turn): boolean {
  return Date.now() >= turn.deadline.getTime() + OVERDUE_GRACE_MS;
}

async function sealIfLost(parts: Recovery, tenant: string, turnId: string): Promise<boolean> {
  const execution = await executionState(parts, tenant, turnId);
  if (execution === 'running' || execution === 'unknown') return false;
  // A workflow seals its turn before it closes: then this changes nothing, for the first to seal wins.
  await sealAndHandOver(parts, tenant, turnId, lost(execution));
  return true;
}

function lost(execution: 'closed' | 'not_found') {
  const what = execution === 'closed' ? 'has closed' : 'does not exist any more';
  return {
    status: 'failed',
    reason: 'workflow_lost',
    message: `The turn was started, but its workflow ${what} without having ended it.`,
  } as const;
}

async function executionState(
  { starter, logger }: Recovery,
  tenant: string,
  turnId: string,
): Promise<ExecutionState | 'unknown'> {
  try {
    return await starter.executionState(turnId);
  } catch (error) {
    logger.warn(
      'turn not healed, Temporal did not tell about it',
      turnFields({ tenant, turnId }, error),
    );
    return 'unknown';
  }
}
