import type { Item, JsonObject } from '../contracts/json.ts';

/** Said to the model, and not by it. */
export function isInput({ type, role }: Item): boolean {
  return type === 'message' && role !== 'assistant';
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
