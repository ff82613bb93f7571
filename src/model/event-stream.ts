import type OpenAI from 'openai';
import type { ModelEvent, ModelStream } from '../contracts/model.ts';
import { endOf } from '../conversation/collect.ts';
import { classifyFailedEvent, classifyModelFailure, type FailureContext } from './classify.ts';
import { refuseDeep } from './refuse-deep.ts';
import type { IdleWatch } from './watch-idle.ts';

type WireStream = AsyncIterable<OpenAI.Responses.ResponseStreamEvent>;

/** The SDK's promise of a stream, together with the answer's headers. */
type OpenedStream = Promise<{ data: WireStream; request_id: string | null }>;

/** How long the server may take to end the stream after its last event, so that the connection can be used again. */
const DRAIN_MS = 1_000;

/** A stream of verbatim events, from a request that is sent by calling `open`. Rejects with `ModelError`. */
export async function openStream(
  open: (signal: AbortSignal) => OpenedStream,
  watch: IdleWatch,
  secrets: string[],
): Promise<ModelStream> {
  try {
    const started = await watch.during(open(watch.signal));
    const requestId = started.request_id ?? null;
    return { requestId, events: readEvents(started.data, watch, { secrets, requestId }) };
  } catch (error) {
    watch.stop();
    throw watch.failure(null) ?? classifyModelFailure(error, { secrets });
  }
}

async function* readEvents(
  stream: WireStream,
  watch: IdleWatch,
  context: FailureContext & { requestId: string | null },
): AsyncGenerator<ModelEvent> {
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const event = await nextEvent(iterator, watch, context);
      yield event;
      if (endOf(event) !== null) break;
    }
    await drain(iterator, watch);
  } finally {
    watch.stop();
    await iterator.return?.();
  }
}

async function nextEvent(
  iterator: AsyncIterator<unknown>,
  watch: IdleWatch,
  context: FailureContext & { requestId: string | null },
): Promise<ModelEvent> {
  try {
    const next = await watch.during(iterator.next());
    if (next.done === true) throw new SyntaxError('the stream ended without a terminal event');
    if (!isEvent(next.value)) throw new SyntaxError('an event without a type');
    refuseDeep(next.value);
    const failure = classifyFailedEvent(next.value, context);
    if (failure !== null) throw failure;
    return next.value;
  } catch (error) {
    // The SDK ends an aborted stream as if it were complete, hence the watch is asked first.
    throw watch.failure(context.requestId) ?? classifyModelFailure(error, context);
  }
}

/** The answer is whole: whatever happens now is no failure of the call any more. */
async function drain(iterator: AsyncIterator<unknown>, watch: IdleWatch): Promise<void> {
  await watch.during(iterator.next(), DRAIN_MS).catch(() => undefined);
}

function isEvent(value: unknown): value is ModelEvent {
  return (
    typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
  );
}
