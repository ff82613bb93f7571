import type { Item, JsonObject } from '../contracts/json.ts';
import type { Limits } from '../conversation/limits.ts';
import { integer, list, oneOf, optional, refuse, shape, string, type Check } from './checks.ts';
import {
  emptyInput,
  inputMessage,
  listItems,
  READ_MESSAGE,
  type InputItem,
  type ReadMessage,
} from './input.ts';

/** What an assistant said, here or elsewhere: as `conversations.items` gives it, or in short. */
export interface AssistantMessage extends ReadMessage {
  type?: 'message';
  role: 'assistant';
  phase?: 'commentary' | 'final_answer' | null;
  content: string | AssistantPart[];
}

export type AssistantPart =
  /** Links among the annotations are kept (`url_citation`), others are not: what they point to may be gone. */
  | { type: 'output_text'; text: string; annotations?: JsonObject[]; logprobs?: JsonObject[] }
  | { type: 'refusal'; refusal: string };

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

const anything: Check = () => undefined;
const checkPhase: Check = (value, path) => {
  if (value !== null) oneOf('commentary', 'final_answer')(value, path);
};
const checkMessage = shape({
  ...READ_MESSAGE,
  type: optional(oneOf('message')),
  role: oneOf('assistant'),
  phase: optional(checkPhase),
  content: anything,
});
const position = integer(0, Number.MAX_SAFE_INTEGER);
const LINK = { url: string, title: string, start_index: position, end_index: position };
const checkAnnotation: Check = (value, path) => {
  if (!isLink(value)) return;
  for (const [field, check] of Object.entries(LINK)) check(value[field], `${path}.${field}`);
};
const MAX_ANNOTATIONS = 10_000;
const checkText = shape({
  type: oneOf('output_text'),
  text: string,
  annotations: optional(list(checkAnnotation, { max: MAX_ANNOTATIONS })),
  logprobs: optional(anything),
});
const checkRefusal = shape({ type: oneOf('refusal'), refusal: string });
const checkPart: Check = (value, path) => {
  const { type } = (value ?? {}) as Record<string, unknown>;
  oneOf('output_text', 'refusal')(type, `${path}.type`);
  (type === 'refusal' ? checkRefusal : checkText)(value, path);
};

/** As the API takes back an answer without an id. */
function assistantMessage(item: AssistantMessage, path: string): Item {
  checkMessage(item, path);
  const content = partsOf(item.content, `${path}.content`).map(kept);
  if (content.every(isBlank)) throw emptyInput(path);
  return {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content,
    ...(item.phase && { phase: item.phase }),
  };
}

function partsOf(content: AssistantMessage['content'], path: string): AssistantPart[] {
  if (typeof content === 'string') {
    string(content, path);
    return [{ type: 'output_text', text: content }];
  }
  if (!Array.isArray(content)) return refuse(path, 'must be a string or an array');
  content.forEach((part, index) => checkPart(part, `${path}[${index}]`));
  return content;
}

function kept(part: AssistantPart): JsonObject {
  if (part.type === 'refusal') return { ...part };
  const { type, text, annotations = [] } = part;
  return { type, text, annotations: annotations.filter(isLink).map(linkOf) };
}

function isLink(annotation: unknown): annotation is JsonObject {
  return (annotation as JsonObject | null)?.['type'] === 'url_citation';
}

function linkOf(link: JsonObject): JsonObject {
  const { type, url, title, start_index, end_index } = link;
  return { type, url, title, start_index, end_index } as JsonObject;
}

function isBlank({ text, refusal }: JsonObject): boolean {
  return String(text ?? refusal).trim() === '';
}
