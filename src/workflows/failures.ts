import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { FAILURE } from '../contracts/failures.ts';

/** Nothing can be written any more: the turn has ended, or the store does not know it. */
export function isFinal(error: unknown): boolean {
  const type = causeOf(error)?.type;
  return (
    type === FAILURE.turnSealed || type === FAILURE.turnNotFound || type === FAILURE.storeRolledBack
  );
}

/** What an activity threw. */
export function causeOf(error: unknown): ApplicationFailure | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure ? cause : undefined;
}
