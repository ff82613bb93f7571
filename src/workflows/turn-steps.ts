import { ActivityCancellationType } from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { TurnInput } from '../contracts/turn.ts';

const HEARTBEAT_TIMEOUT = '5s';

export function stepOf({ tenant, turnId }: TurnInput, step: string, after: string[]) {
  return { tenant, turnId, step, after };
}

export function timeLeftMs({ deadlineMs }: TurnInput): number {
  return Math.max(1, deadlineMs - Date.now());
}

/** Options of an activity that ends with the turn at the latest. */
export function withinTurn(input: TurnInput): ActivityOptions {
  return {
    scheduleToCloseTimeout: timeLeftMs(input),
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
  };
}
