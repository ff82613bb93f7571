import type { Item, JsonObject } from '../contracts/json.ts';
import type { ConversationItem } from '../contracts/store.ts';

/** Said to the model, and not by it. */
export function isInput({ type, role }: Item): boolean {
  return type === 'message' && role !== 'assistant';
}

/** Without reasoning that led to nothing, as when its answer was cut off: the API refuses it alone. */
export function usableItems(items: ConversationItem[]): ConversationItem[] {
  const usable: ConversationItem[] = [];
  let next: ConversationItem | undefined;
  for (const entry of items.toReversed()) {
    const isReasoning = entry.item.type === 'reasoning';
    if (!isReasoning) next = entry;
    if (!isReasoning || ledTo(entry, next)) usable.push(entry);
  }
  return usable.reverse();
}

function ledTo(reasoning: ConversationItem, next: ConversationItem | undefined): boolean {
  if (next?.turnId !== reasoning.turnId) return false;
  return next.item.type !== 'function_call_output' && !isInput(next.item);
}

export function textParts(item: Item, type: 'input_text' | 'output_text'): string[] {
  const { content } = item;
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part) => {
    const text = isObject(part) && part['type'] === type ? part['text'] : undefined;
    return typeof text === 'string' ? [text] : [];
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
