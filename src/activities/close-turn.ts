import { ApplicationFailure } from '@temporalio/common';
import { FAILURE } from '../contracts/failures.ts';
import type { AbandonedCall } from '../contracts/store.ts';
import type { CloseTurnInput, Ending, TurnOutcome } from '../contracts/turn.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { reportInterrupted, startAccepted, startFollowUps } from '../recovery/recovery.ts';
import { messageOf, throwingFailures } from './failures.ts';
import { stopResponse } from './stop-response.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'starter' | 'model' | 'logger'>;

/** Ends the turn in the store, or reads how somebody else ended it, and starts the turn that was waiting for it. */
export function createCloseTurn(dependencies: Dependencies) {
  return (input: CloseTurnInput): Promise<TurnOutcome> =>
    throwingFailures(() => closeTurn(dependencies, input));
}

async function closeTurn(
  dependencies: Dependencies,
  { tenant, turnId, ending }: CloseTurnInput,
): Promise<TurnOutcome> {
  const { store, starter, logger } = dependencies;
  const sealed = await store.turns.seal(tenant, turnId, asStored(ending));
  if (!sealed) {
    throw ApplicationFailure.create({
      type: FAILURE.unavailable,
      message: "The database's clock has not reached the turn's deadline yet.",
    });
  }
  reportInterrupted(logger, { tenant, turnId }, sealed);
  // Beside what may wait for Temporal.
  const stopping = stopAbandoned(dependencies, { tenant, turnId }, sealed.abandonedCalls);
  if (sealed.next) await startAccepted(store, starter, sealed.next);
  await startFollowUps(dependencies, sealed);
  await stopping;
  const { status, reason, won } = sealed;
  if (won) logger.info('turn', { tenant, turn: turnId, status, reason });
  return { status, reason };
}

/** At most two seconds for the provider, which nobody waits for who wants the turn or the conversation. Never rejects. */
async function stopAbandoned(
  dependencies: Dependencies,
  turn: { tenant: string; turnId: string },
  calls: AbandonedCall[],
): Promise<void> {
  const running = calls.flatMap(({ background, responseId, callId, model }) =>
    background && responseId !== null ? [{ ...turn, responseId, callId, model }] : [],
  );
  await Promise.all(running.map((call) => stopResponse(dependencies, call)));
}

/** The workflow knows that the turn's own time is up, also while the row's deadline is that of its caller. */
function asStored(ending: Ending): Ending {
  if (ending.status === 'expired') return { ...ending, whileWaiting: true };
  return 'message' in ending ? { ...ending, message: messageOf(ending.message) } : ending;
}
