import { createHash } from 'node:crypto';
import type { Logger } from '../contracts/logger.ts';
import type { ModelRequest } from '../contracts/model.ts';
import type { CallUsage, StepRef } from '../contracts/store.ts';
import type { CallFailure } from './model-failure.ts';

const HASH_CHARACTERS = 16;

export interface LoggedCall {
  ref: StepRef;
  endUser: string | null;
  request: ModelRequest;
  /** Earlier items that the model was not shown and that no summary has told it of. */
  leftOut: number;
  startedAt: number;
  requestId: string | null;
  usage?: CallUsage | null;
  failure?: CallFailure;
}

/** One line per model call: what an operator needs to find it at the provider, and nothing of what was said. */
export function logModelCall(logger: Logger, call: LoggedCall): void {
  const { ref, usage, failure, request } = call;
  const fields = {
    ...stepFields(ref, call.startedAt),
    end_user: call.endUser,
    model: usage?.model ?? request.model,
    request_id: call.requestId,
    response_id: usage?.responseId ?? null,
    prompt_hash: promptHash(request),
    items_left_out: call.leftOut,
    input_tokens: usage?.inputTokens ?? null,
    output_tokens: usage?.outputTokens ?? null,
  };
  if (!failure) logger.info('step', fields);
  else if (failure.kind !== 'internal_error')
    logger.warn('model call failed', { ...fields, failure: failure.kind });
  else
    logger.error('model call failed', {
      ...fields,
      failure: failure.kind,
      error: failure.message,
    });
}

export function stepFields({ tenant, turnId, step, fence }: StepRef, startedAt: number) {
  return { tenant, turn: turnId, step, attempt: fence.attempt, ms: Date.now() - startedAt };
}

/** Tells equal prompts apart from different ones without telling what they say. */
function promptHash({ instructions, input }: ModelRequest): string {
  const hash = createHash('sha256').update(JSON.stringify([instructions ?? '', input]));
  return hash.digest('hex').slice(0, HASH_CHARACTERS);
}
