import type OpenAI from 'openai';
import type { JsonObject } from '../contracts/json.ts';
import type { Model, ModelRequest } from '../contracts/model.ts';
import { backgroundResponses } from './background.ts';
import { openStream } from './event-stream.ts';
import { openaiClient } from './openai-client.ts';
import type { OpenAiSettings } from './openai-client.ts';
import { watchIdle } from './watch-idle.ts';

type StreamParams = OpenAI.Responses.ResponseCreateParamsStreaming;

/** A model behind OpenAI's Responses API, or behind any server that speaks it. */
export function openaiModel(
  settings: OpenAiSettings & {
    /** Longest silence, milliseconds: before the answer's headers, and between two events. */
    idleTimeoutMs: number;
  },
): Model {
  const client = openaiClient(settings);
  const secrets = [settings.apiKey];
  const { idleTimeoutMs } = settings;
  return {
    stream(request, { signal }) {
      const open = (aborted: AbortSignal) =>
        client.responses.create(toParams(request), { signal: aborted }).withResponse();
      return openStream(open, watchIdle(signal, idleTimeoutMs), secrets);
    },
    ...backgroundResponses(client, { idleTimeoutMs, secrets }),
  };
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
    ...(request.background === true && { background: true, store: true }),
    stream: true,
  };
  return params as unknown as StreamParams;
}
