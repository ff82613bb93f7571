import OpenAI from 'openai';

export interface OpenAiSettings {
  apiKey: string;
  /** Root of the API, with its version: `https://api.openai.com/v1` by default. */
  baseUrl?: string;
}

/**
 * The SDK's client with everything switched off that others do: retries belong to Temporal, logging to the Logger, and
 * the environment is read in one place only.
 */
export function openaiClient(settings: OpenAiSettings): OpenAI {
  return new OpenAI({
    apiKey: settings.apiKey,
    baseURL: settings.baseUrl ?? 'https://api.openai.com/v1',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    logLevel: 'off',
    fetch: fetchValidUtf8,
  });
}

/** The SDK's decoder silently replaces invalid UTF-8; an answer damaged on its way has to fail instead. */
async function fetchValidUtf8(...request: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...request);
  if (response.body === null) return response;
  return new Response(ReadableStream.from(checkUtf8(response.body)), {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
}

async function* checkUtf8(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of body) {
    decoder.decode(chunk, { stream: true });
    yield chunk;
  }
}
