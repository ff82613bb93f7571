import { ModelError, type ModelRequest } from '../contracts/model.ts';
import type { StepRef } from '../contracts/store.ts';
import { readerEvent, replyCollector, type CollectedReply } from '../conversation/collect.ts';
import { cancelSignal, isShuttingDown } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { stopped } from './failures.ts';

/**
 * Streams one model call into the turn's events. Stops when the turn is cancelled, when the worker goes away, and when
 * another attempt has taken the step over.
 */
export async function streamReply(
  { model, appender }: Pick<ActivityDependencies, 'model' | 'appender'>,
  ref: StepRef,
  request: ModelRequest,
): Promise<{ reply: CollectedReply; requestId: string | null }> {
  const lost = appender.lost(ref);
  const signal = AbortSignal.any([cancelSignal(), lost]);
  const collector = replyCollector();
  try {
    const { events, requestId } = await model.stream(request, { signal });
    for await (const event of events) {
      collector.add(event);
      appender.append(ref, readerEvent(event));
    }
    return { reply: collector.result(), requestId };
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
