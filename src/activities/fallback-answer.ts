import type { Item } from '../contracts/json.ts';
import type { NewEvent, SettleResponse, TurnContext } from '../contracts/store.ts';
import type { RespondInput } from '../contracts/turn.ts';

/** The assistant's own words where no model could be had, told to readers as a model's answer would be. */
export function fallbackAnswer(input: RespondInput, { definition }: TurnContext): SettleResponse {
  const text = definition.fallbackAnswer ?? '';
  const id = `msg_${input.turnId}_${input.step.replaceAll(':', '_')}`;
  const item: Item = {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text, annotations: [] }],
  };
  return {
    items: [item],
    reply: { kind: 'answer' },
    toolDefinitions: [],
    events: messageEvents(id, item, text),
    usage: null,
    summarize: null,
  };
}

function messageEvents(id: string, item: Item, text: string): NewEvent[] {
  const at = { item_id: id, output_index: 0, content_index: 0 };
  const part = { type: 'output_text', text, annotations: [] };
  const added = { ...item, id, status: 'in_progress', content: [] };
  return [
    { type: 'response.output_item.added', output_index: 0, item: added },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    { type: 'response.output_text.delta', ...at, delta: text, logprobs: [] },
    { type: 'response.output_text.done', ...at, text, logprobs: [] },
    { type: 'response.content_part.done', ...at, part },
    { type: 'response.output_item.done', output_index: 0, item: { ...item, id } },
  ];
}
