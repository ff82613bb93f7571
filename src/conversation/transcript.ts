import type { Item, Json, JsonObject } from '../contracts/json.ts';
import { isObject } from './items.ts';

/**
 * An item as one line of JSON that says who said or did what. Texts are cut in their middle; images, files and what has no
 * text are only named.
 */
export function transcriptLine(item: Item, maxCharacters: number): string {
  const entry = Object.entries(entryOf(item)).map(([key, text]) => [
    key,
    cutMiddle(text, maxCharacters),
  ]);
  return JSON.stringify(Object.fromEntries(entry));
}

function entryOf(item: Item): Record<string, string> {
  switch (item.type) {
    case 'message':
      return { from: String(item['role']), text: textOf(item['content']) };
    case 'function_call':
      return { from: 'assistant', calls: String(item['name']), with: String(item['arguments']) };
    case 'function_call_output':
      return { from: 'tool', text: textOf(item['output']) };
    default:
      return { from: 'assistant', did: item.type };
  }
}

function textOf(content: Json | undefined): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.filter(isObject).map(partText).join('\n') : '';
}

function partText(part: JsonObject): string {
  for (const text of [part['text'], part['refusal']]) if (typeof text === 'string') return text;
  const name = part['filename'] ?? part['file_id'];
  const kind = String(part['type']).replace(/^input_/, '');
  return typeof name === 'string' ? `[${kind} ${name}]` : `[${kind}]`;
}

function cutMiddle(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const half = Math.floor(maxCharacters / 2);
  const left = text.length - 2 * half;
  return `${text.slice(0, half)} [… ${left} characters left out …] ${text.slice(-half)}`;
}
