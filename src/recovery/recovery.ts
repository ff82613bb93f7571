import type { Logger } from '../contracts/logger.ts';
import type { TurnStarter } from '../contracts/starter.ts';
import type { Sealed, Store } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import type { Ending, TurnInput } from '../contracts/turn.ts';

/** What recovery works with. */
export interface Recovery {
  store: Store;
  starter: TurnStarter;
  logger: Logger;
}

/** Past its deadline by so many milliseconds, a turn is ended by whoever meets it. */
export const OVERDUE_GRACE_MS = 60_000;

/** Starts the workflow of an accepted turn and marks the turn as started. Repeating it changes nothing. */
export async function startAccepted(
  store: Store,
  starter: TurnStarter,
  input: TurnInput,
): Promise<void> {
  await starter.startTurn(input);
  await store.turns.markStarted(input.tenant, input.turnId);
}

/** Like `startAccepted`, but leaves the turn to the worker's sweep when it cannot be started now. */
export async function startOrLeave(
  { store, starter, logger }: Recovery,
  input: TurnInput,
): Promise<void> {
  try {
    await startAccepted(store, starter, input);
  } catch (error) {
    logger.warn('turn not started, left to the sweep', turnFields(input, error));
  }
}

/** Once the turn is sealed, nothing else tells of them; whoever comes upon the sealed turn tells it again. */
export function reportInterrupted(
  logger: Logger,
  { tenant, turnId: turn }: { tenant: string; turnId: string },
  { status, interruptedTools }: Sealed,
): void {
  for (const { step, name: tool, policy } of interruptedTools)
    logger.warn('tool interrupted', { tenant, turn, step, tool, policy, status });
}

/**
 * Starts what a sealed turn has left to be done beside the next turn. What cannot be started now is left to the sweep.
 */
export async function startFollowUps(
  { starter, logger }: Pick<Recovery, 'starter' | 'logger'>,
  { compensate, summarize }: Pick<Sealed, 'compensate' | 'summarize'>,
): Promise<void> {
  const starts = [
    ...(compensate ? [{ what: compensate, started: starter.startCompensation(compensate) }] : []),
    ...(summarize ? [{ what: summarize, started: starter.startSummary(summarize) }] : []),
  ];
  await Promise.all(
    starts.map(({ what, started }) =>
      started.catch((error: unknown) =>
        logger.warn('follow-up not started, left to the sweep', {
          ...what,
          error: describeError(error),
        }),
      ),
    ),
  );
}

/**
 * Ends a turn and starts the one that got the conversation's lock from it. Null when the store refused, as it does for
 * an expiry before the deadline.
 */
export async function sealAndHandOver(
  parts: Recovery,
  tenant: string,
  turnId: string,
  ending: Ending,
): Promise<Sealed | null> {
  const sealed = await parts.store.turns.seal(tenant, turnId, ending);
  if (sealed) reportInterrupted(parts.logger, { tenant, turnId }, sealed);
  if (sealed?.next) await startOrLeave(parts, sealed.next);
  if (sealed) await startFollowUps(parts, sealed);
  return sealed;
}

/** Seals a turn whose time is up, then ends its workflow from outside. Answers whether the turn is sealed. */
export async function expire(parts: Recovery, tenant: string, turnId: string): Promise<boolean> {
  const sealed = await sealAndHandOver(parts, tenant, turnId, { status: 'expired' });
  // Also when another had sealed it as expired: that one may have died before it came to this.
  if (sealed?.status === 'expired') {
    const reason = 'The turn was past its deadline and has been sealed as expired.';
    await terminateOrLeave(parts, { tenant, turnId }, reason);
  }
  return sealed !== null;
}

/** Cancels a turn that no workflow closes: its row is sealed. A workflow that has it after all finds it sealed. */
export async function cancelFromOutside(
  parts: Recovery,
  tenant: string,
  turnId: string,
): Promise<void> {
  await sealAndHandOver(parts, tenant, turnId, { status: 'cancelled' });
  await parts.starter.cancel(turnId).catch((error: unknown) => {
    const fields = turnFields({ tenant, turnId }, error);
    parts.logger.warn('workflow of a cancelled turn not cancelled', fields);
  });
}

export async function terminateOrLeave(
  { starter, logger }: Recovery,
  turn: { tenant: string; turnId: string },
  reason: string,
): Promise<void> {
  try {
    await starter.terminate(turn.turnId, reason);
  } catch (error) {
    logger.warn('workflow of a sealed turn not terminated', turnFields(turn, error));
  }
}

/** Log fields that name a turn and what went wrong with it. */
export function turnFields(turn: { tenant: string; turnId: string }, error: unknown) {
  return { tenant: turn.tenant, turnId: turn.turnId, error: describeError(error) };
}
