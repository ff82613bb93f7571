import { ModelError, type ModelRequest } from '../contracts/model.ts';
import type { StepRef } from '../contracts/store.ts';
import { readerEvent, replyCollector } from '../conversation/collect.ts';
import { cancelSignal, isShuttingDown } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { stopped } from './failures.ts';
import { followResponse, type AskedCall, type StreamedReply } from './follow-response.ts';

type Dependencies = Pick<ActivityDependencies, 'model' | 'appender' | 'store' | 'logger'>;

/**
 * Streams one model call into the turn's events. Stops when the turn is cancelled, when the worker goes away, and when
 * another attempt has taken the step over.
 */
export async function streamReply(
  parts: Dependencies,
  ref: StepRef,
  call: AskedCall,
): Promise<StreamedReply> {
  const { appender } = parts;
  const lost = appender.lost(ref);
  const stop = AbortSignal.any([cancelSignal(), lost]);
  try {
    return call.request.background === true
      ? await followResponse(parts, ref, call, stop)
      : await readOnce(parts, ref, call.request, stop);
  } catch (error) {
    lost.throwIfAborted();
    if (cancelSignal().aborted) {
      if (isShuttingDown()) await appender.flush(ref);
      throw stopped();
    }
    // What a broken call showed must be in the store before it is taken back.
    if (error instanceof ModelError) await appender.flush(ref);
    throw error;
  }
}

async function readOnce(
  { model, appender }: Dependencies,
  ref: StepRef,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<StreamedReply> {
  const collector = replyCollector();
  const { events, requestId } = await model.stream(request, { signal });
  for await (const event of events) {
    collector.add(event);
    appender.append(ref, readerEvent(event));
  }
  return { reply: collector.result(), requestId, rest: [], rewind: false };
}
