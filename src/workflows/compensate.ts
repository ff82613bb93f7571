import {
  ActivityFailure,
  CancellationScope,
  TimeoutFailure,
  proxyActivities,
} from '@temporalio/workflow';
import type { CompensateActivities, CompensateInput, EffectRef } from '../contracts/turn.ts';
import { compensateStep, plainLabel } from '../conversation/loop.ts';
import { detailsBoard, type DetailsBoard } from './details.ts';
import { causeOf, isFinal } from './failures.ts';

const HEARTBEAT_TIMEOUT = '5s';
const TOOL_GRACE_MS = 10_000;
/** An effect that nobody could undo for so long, also for lack of workers, is given up. */
const EFFECT_LIMIT = '1d';
const RECORDS = { startToCloseTimeout: '10s', retry: { maximumInterval: '10s' } } as const;

/**
 * Undoes the effects of a turn that has ended, the last one first. One that cannot be undone is marked as failed and
 * keeps none of the others. Whoever wants to stop it has to terminate it: a cancellation is not listened to.
 */
export async function compensate(input: CompensateInput): Promise<void> {
  await CancellationScope.nonCancellable(() => undoAll(input));
}

async function undoAll(input: CompensateInput): Promise<void> {
  const { listEffects, closeCompensation } = proxyActivities<CompensateActivities>(RECORDS);
  const board = detailsBoard();
  let after: string[] = [];
  for (const effect of await listEffects(input)) {
    after = [await undo(input, effect, after, board)];
  }
  await closeCompensation(input);
}

async function undo(
  { tenant, turnId }: CompensateInput,
  effect: EffectRef,
  after: string[],
  board: DetailsBoard,
): Promise<string> {
  const step = compensateStep(effect.callId);
  const request = { tenant, turnId, step, after, effect };
  const summary = plainLabel(effect.name);
  const { compensateEffect } = proxyActivities<CompensateActivities>({
    summary,
    scheduleToCloseTimeout: EFFECT_LIMIT,
    startToCloseTimeout: effect.timeoutMs + TOOL_GRACE_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    // The activity says which attempt is the last: outages of the database are none.
    retry: { initialInterval: '1s', backoffCoefficient: 3, maximumInterval: '5m' },
  });
  try {
    await board.during(step, summary, () => compensateEffect(request));
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isFinal(error)) throw error;
    const { failCompensation } = proxyActivities<CompensateActivities>({ ...RECORDS, summary });
    await failCompensation({ ...request, ...reasonOf(error) });
  }
  return step;
}

function reasonOf(error: ActivityFailure): { reason: string; message: string } {
  const { message } = error.cause ?? error;
  if (error.cause instanceof TimeoutFailure) return { reason: 'timeout', message };
  return { reason: causeOf(error)?.type || 'internal_error', message };
}
