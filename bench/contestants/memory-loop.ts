import { randomUUID } from 'node:crypto';
import type { Contestant } from '../contestant.ts';
import { modelCall, type ChatMessage, type ModelCall } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

export function memoryLoop(): Contestant {
  const conversations = new Map<string, ChatMessage[]>();
  let call: ModelCall;
  return {
    start({ modelUrl }) {
      call = modelCall(modelUrl);
      return Promise.resolve();
    },
    openConversation() {
      const id = randomUUID();
      conversations.set(id, []);
      return Promise.resolve(id);
    },
    async runTurn(conversation, text) {
      const watch = stopwatch();
      const messages = conversations.get(conversation) ?? [];
      messages.push({ role: 'user', content: text });
      const answer = await call(messages, watch.delta);
      messages.push({ role: 'assistant', content: answer });
      return watch.done();
    },
    processes: () => ({}),
    stateBytes: () => Promise.resolve(0),
    histories: () => Promise.resolve([]),
    stop: () => Promise.resolve(),
  };
}
