import type OpenAI from 'openai';
import type { JsonObject } from '../contracts/json.ts';
import type { Model, ModelEvent, ModelRequest, ModelStream } from '../contracts/model.ts';
import type { FailureContext } from './classify.ts';
import { classifyFailedEvent, classifyModelFailure } from './classify.ts';
import { openaiClient } from './openai-client.ts';
import type { OpenAiSettings } from './openai-client.ts';
import { watchIdle } from './watch-idle.ts';
import type { IdleWatch } from './watch-idle.ts';

type StreamParams = OpenAI.Responses.ResponseCreateParamsStreaming;
type WireStream = AsyncIterable<OpenAI.Responses.ResponseStreamEvent>;

const TERMINAL_EVENTS = new Set(['response.completed', 'response.incomplete']);

/** How long the server may take to end the stream after its last event, so that the connection can be used again. */
const DRAIN_MS = 1_000;

/** A model behind OpenAI's Responses API, or behind any server that speaks it. */
export function openaiModel(
  settings: OpenAiSettings & {
    /** Longest silence, milliseconds: before the answer's headers, and between two events. */
    idleTimeoutMs: number;
  },
): Model {
  const client = openaiClient(settings);
  const secrets = [settings.apiKey];
  return {
    stream: (request, { signal }) =>
      startStream(client, request, watchIdle(signal, settings.idleTimeoutMs), secrets),
  };
}

async function startStream(
  client: OpenAI,
  request: ModelRequest,
  watch: IdleWatch,
  secrets: string[],
): Promise<ModelStream> {
  try {
    const started = await watch.during(
      client.responses.create(toParams(request), { signal: watch.signal }).withResponse(),
    );
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
      if (TERMINAL_EVENTS.has(event.type)) break;
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

function toParams(request: ModelRequest): StreamParams {
  const params: JsonObject = {
    ...request.options,
    model: request.model,
    ...(request.instructions !== undefined && { instructions: request.instructions }),
    input: request.input,
    tools: request.tools,
    ...(request.text !== undefined && { text: request.text }),
    ...(request.maxOutputTokens !== undefined && { max_output_tokens: request.maxOutputTokens }),
    ...(request.safetyIdentifier !== undefined && { safety_identifier: request.safetyIdentifier }),
    ...(request.promptCacheKey !== undefined && { prompt_cache_key: request.promptCacheKey }),
    stream: true,
  };
  return params as unknown as StreamParams;
}
