import type { JsonObject } from '../contracts/json.ts';
import type { BackgroundResponse } from '../contracts/model.ts';
import { isTurnkeeperError } from '../contracts/errors.ts';
import type { CallUsage, StepRef, StoppableCall, TurnStore } from '../contracts/store.ts';
import { replyCollector } from '../conversation/collect.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf } from './failures.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'model' | 'logger'>;

/**
 * Ends what the provider goes on generating for nobody. What it says it has cost replaces the estimate. Answers whether
 * it need not be told again; what fails here is left to the sweep. Never rejects.
 */
export async function stopResponse(parts: Dependencies, call: StoppableCall): Promise<boolean> {
  const { responseId: id, model } = call;
  const stopped = await tellToStop(parts, call, { id, model });
  if (stopped === undefined) return false;
  try {
    await settle(parts, call, stopped);
    return true;
  } catch (error) {
    parts.logger.warn('stopped response not stored', fieldsOf(call, id, error));
    return false;
  }
}

/** The response as it was stopped, null when its provider has forgotten it, undefined when that could not be told. */
export async function tellToStop(
  { model, logger }: Pick<Dependencies, 'model' | 'logger'>,
  turn: Pick<StoppableCall, 'tenant' | 'turnId'>,
  response: BackgroundResponse,
): Promise<JsonObject | null | undefined> {
  try {
    return await model.cancel(response);
  } catch (error) {
    logger.warn('response not stopped', fieldsOf(turn, response.id, error));
    return undefined;
  }
}

function fieldsOf(
  { tenant, turnId: turn }: Pick<StoppableCall, 'tenant' | 'turnId'>,
  response: string,
  error: unknown,
) {
  return { tenant, turn, response, error: messageOf(error) };
}

async function settle(
  { store: { turns } }: Dependencies,
  call: StoppableCall,
  stopped: JsonObject | null,
): Promise<void> {
  const { tenant, turnId, callId } = call;
  if (!stopped?.['usage']) return turns.markStopped(tenant, turnId, callId);
  await turns.settleAbandoned(tenant, turnId, callId, usageOf(stopped, call));
}

function usageOf(stopped: JsonObject, { responseId, model: asked }: StoppableCall): CallUsage {
  const collector = replyCollector();
  collector.add({ type: 'response.cancelled', response: stopped });
  const { usage, model } = collector.result();
  return { ...usage, responseId, requestId: null, model: model ?? asked };
}

/**
 * For an attempt that was told to stop: unless the turn has ended, another one may be going on with the response, if it
 * can know its id. Never rejects.
 */
export async function stopUnwanted(
  parts: Dependencies,
  ref: StepRef,
  { callId, id: responseId, model }: BackgroundResponse & { callId: string },
): Promise<void> {
  const { tenant, turnId } = ref;
  const { turns } = parts.store;
  const unwanted =
    (await turns.identifyOrphan(ref, callId, responseId).catch(() => false)) ||
    (await hasEnded(turns, tenant, turnId));
  if (unwanted) await stopResponse(parts, { tenant, turnId, callId, responseId, model });
}

/** Or was deleted. */
async function hasEnded(turns: TurnStore, tenant: string, turnId: string): Promise<boolean> {
  try {
    return (await turns.get(tenant, turnId)).state === 'sealed';
  } catch (error) {
    return isTurnkeeperError(error, 'turn_not_found');
  }
}
