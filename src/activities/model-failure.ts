import { ModelError } from '../contracts/model.ts';
import type { StepFailure, StepRef, Store } from '../contracts/store.ts';
import { persistently, timeLeftMs } from './attempt.ts';
import { isExpected, messageOf, modelFailed, modelRetry } from './failures.ts';

/** Calls of one step that may fail before the next candidate is asked. */
const MAX_FAILED_CALLS = 4;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A server that asks for more patience than this counts as out of service. */
const MAX_RETRY_AFTER_MS = 60_000;

/** How a call failed: as its model or its server said, or by a mistake of this program's own. */
export type CallFailure = Pick<
  ModelError,
  'message' | 'requestId' | 'refused' | 'retryable' | 'retryAfterMs'
> & { kind: ModelError['kind'] | 'internal_error' };

interface FailedCall {
  error: CallFailure;
  callId: string;
  /** Calls of this step that failed before this one. */
  failedCalls: number;
}

/** Null for what has nothing to do with the call, and passes by itself or ends the turn for a reason of its own. */
export function callFailure(error: unknown): CallFailure | null {
  if (error instanceof ModelError) return error;
  if (isExpected(error)) return null;
  return {
    kind: 'internal_error',
    message: messageOf(error),
    requestId: null,
    refused: false,
    retryable: true,
    retryAfterMs: null,
  };
}

/** Records a failed model call; answers the failure to throw: one that Temporal retries, or the step's end. */
export async function concludeFailure(
  store: Store,
  ref: StepRef,
  call: FailedCall,
): Promise<Error> {
  const failure = { reason: call.error.kind, message: messageOf(call.error.message) };
  const { requestId, refused } = call.error;
  await persistently(() =>
    store.steps.recordFailedCall(ref, call.callId, { requestId, error: failure.reason, refused }),
  );
  const delayMs = retryDelayMs(call);
  if (delayMs !== null && delayMs < timeLeftMs()) return modelRetry(failure, delayMs);
  return giveUp(store, ref, failure);
}

async function giveUp(store: Store, ref: StepRef, failure: StepFailure): Promise<Error> {
  await persistently(() => store.steps.settleFailure(ref, failure));
  return modelFailed(failure);
}

/** Capped exponential with jitter, never sooner than the server asked for; null when it is not worth trying again. */
export function retryDelayMs({ error, failedCalls }: Omit<FailedCall, 'callId'>): number | null {
  if (!error.retryable || failedCalls + 1 >= MAX_FAILED_CALLS) return null;
  const asked = error.retryAfterMs ?? 0;
  if (asked > MAX_RETRY_AFTER_MS) return null;
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failedCalls);
  const jittered = ceiling * (0.5 + Math.random() / 2);
  return asked > 0 ? asked + jittered / 4 : jittered;
}
