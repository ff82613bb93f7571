import { AIMessage, HumanMessage } from '@langchain/core/messages';
import {
  END,
  MessagesAnnotation,
  START,
  StateGraph,
  type LangGraphRunnableConfig,
} from '@langchain/langgraph';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import type { Contestant } from '../contestant.ts';
import { stateInPostgres } from './database.ts';
import { modelCall, type ChatMessage, type ModelCall } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

type State = typeof MessagesAnnotation.State;

export function langGraph(): Contestant {
  const { open, ...state } = stateInPostgres();
  let graph: ReturnType<typeof compile>;
  return {
    ...state,
    async start({ modelUrl, scratch }) {
      const { pool } = await open(scratch);
      const saver = new PostgresSaver(pool);
      await saver.setup();
      graph = compile(modelCall(modelUrl), saver);
    },
    async runTurn(conversation, text) {
      const watch = stopwatch();
      const deltas = await graph.stream(
        { messages: [new HumanMessage(text)] },
        { configurable: { thread_id: conversation }, streamMode: 'custom' },
      );
      for await (const delta of deltas) if (typeof delta === 'string') watch.delta();
      return watch.done();
    },
  };
}

function compile(call: ModelCall, checkpointer: PostgresSaver) {
  const respond = async ({ messages }: State, config: LangGraphRunnableConfig) => {
    const answer = await call(messages.map(toChatMessage), (delta) => config.writer?.(delta));
    return { messages: [new AIMessage(answer)] };
  };
  return new StateGraph(MessagesAnnotation)
    .addNode('respond', respond)
    .addEdge(START, 'respond')
    .addEdge('respond', END)
    .compile({ checkpointer });
}

function toChatMessage(message: State['messages'][number]): ChatMessage {
  const role = message instanceof HumanMessage ? 'user' : 'assistant';
  return { role, content: message.text };
}
