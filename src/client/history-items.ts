import type { Item } from '../contracts/json.ts';
import type { Limits } from '../conversation/limits.ts';
import { oneOf, optional, refuse, shape, string } from './checks.ts';
import { emptyInput, inputMessage, listItems, type InputItem } from './input.ts';

/** What an assistant said, elsewhere. */
export interface AssistantMessage {
  type?: 'message';
  role: 'assistant';
  content: string | OutputText[];
}

export interface OutputText {
  type: 'output_text';
  text: string;
}

export type HistoryItem = InputItem | AssistantMessage;

/** Items to be added to a conversation, normalised: each a message with a list of parts. */
export function historyItems(items: HistoryItem[], limits: Limits): Item[] {
  return listItems(items, 'items', limits, (item, path) =>
    isAssistants(item) ? assistantMessage(item, path) : inputMessage(item, path),
  );
}

function isAssistants(item: HistoryItem): item is AssistantMessage {
  return (item as Partial<HistoryItem> | null)?.role === 'assistant';
}

const checkMessage = shape({
  type: optional(oneOf('message')),
  role: oneOf('assistant'),
  content: () => undefined,
});
const checkPart = shape({ type: oneOf('output_text'), text: string });

/** As the API takes back an answer without an id. */
function assistantMessage(item: AssistantMessage, path: string): Item {
  checkMessage(item, path);
  const texts = outputTexts(item.content, `${path}.content`);
  if (texts.every((text) => text.trim() === '')) throw emptyInput(path);
  return {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: texts.map((text) => ({ type: 'output_text', text, annotations: [] })),
  };
}

function outputTexts(content: AssistantMessage['content'], path: string): string[] {
  if (typeof content === 'string') {
    string(content, path);
    return [content];
  }
  if (!Array.isArray(content)) return refuse(path, 'must be a string or an array');
  content.forEach((part, index) => checkPart(part, `${path}[${index}]`));
  return content.map(({ text }) => text);
}
