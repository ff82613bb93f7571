import {
  TemporalFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { TurnActivities } from '../contracts/turn.ts';
import { isFinal } from './failures.ts';

/**
 * Four seconds in all. The timeout ends an attempt that hangs; a `startToCloseTimeout` as long may fire first, and have
 * it repeated. It does not end the retries of attempts that fail: five of them, with 3 s of waiting in between, do.
 */
const LOCAL = {
  scheduleToCloseTimeout: '4s',
  retry: { initialInterval: '200ms', maximumAttempts: 5 },
} as const;
const REGULAR = {
  startToCloseTimeout: '30s',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
} as const;

type ShortActivities = Pick<TurnActivities, 'closeTurn' | 'readActions'>;

/**
 * As a local activity, for it costs no workflow task; when that has not succeeded within four seconds, as a regular one
 * that is retried until it does.
 */
export async function locallyFirst<T>(
  work: (activities: ShortActivities) => Promise<T>,
): Promise<T> {
  try {
    return await work(proxyLocalActivities<TurnActivities>(LOCAL));
  } catch (error) {
    const isOver = isFinal(error) || isCancellation(error);
    if (!(error instanceof TemporalFailure) || isOver) throw error;
    return await work(proxyActivities<TurnActivities>(REGULAR));
  }
}
