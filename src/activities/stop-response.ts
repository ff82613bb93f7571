import type { BackgroundResponse } from '../contracts/model.ts';
import { replyCollector } from '../conversation/collect.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf } from './failures.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'model' | 'logger'>;

interface StoppableCall extends BackgroundResponse {
  tenant: string;
  turnId: string;
  callId: string;
}

/**
 * Ends what the provider goes on generating for a turn that has ended. What it says it has cost replaces the estimate.
 * Never rejects.
 */
export async function stopResponse(parts: Dependencies, call: StoppableCall): Promise<void> {
  try {
    await stop(parts, call);
  } catch (error) {
    const { tenant, turnId: turn } = call;
    parts.logger.warn('cost of a stopped response not stored', {
      tenant,
      turn,
      error: messageOf(error),
    });
  }
}

async function stop(
  { store, model }: Dependencies,
  { tenant, turnId, callId, ...response }: StoppableCall,
): Promise<void> {
  const stopped = await model.cancel(response);
  if (!stopped?.['usage']) return;
  const collector = replyCollector();
  collector.add({ type: 'response.cancelled', response: stopped });
  const { usage, model: answered } = collector.result();
  await store.turns.settleAbandoned(tenant, turnId, callId, {
    ...usage,
    responseId: response.id,
    requestId: null,
    model: answered ?? response.model,
  });
}

/**
 * For an attempt that was told to stop: unless the turn has ended, another one may be going on with the response. Never
 * rejects.
 */
export async function stopIfSealed(parts: Dependencies, call: StoppableCall): Promise<void> {
  const turn = await parts.store.turns.get(call.tenant, call.turnId).catch(() => null);
  if (turn?.state === 'sealed') await stopResponse(parts, call);
}
