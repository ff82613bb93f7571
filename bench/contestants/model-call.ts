import OpenAI from 'openai';

export const MODEL = 'bench-model';

export interface ChatMessage {
  role: 'user' | 'assistant';
  content: string;
}

export type ModelCall = (
  messages: ChatMessage[],
  onDelta: (delta: string) => void | Promise<void>,
) => Promise<string>;

/** One streamed call through the official client, as all contestants but Turnkeeper make it, which makes its own alike. */
export function modelCall(modelUrl: string): ModelCall {
  const client = new OpenAI({ apiKey: 'none', baseURL: modelUrl, maxRetries: 0 });
  return async (messages, onDelta) => {
    const stream = await client.responses.create({ model: MODEL, input: messages, stream: true });
    let text = '';
    for await (const event of stream) {
      if (event.type !== 'response.output_text.delta') continue;
      text += event.delta;
      await onDelta(event.delta);
    }
    return text;
  };
}
