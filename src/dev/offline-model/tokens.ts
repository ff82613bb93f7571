import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { JsonObject } from '../../contracts/json.ts';
import { itemText } from './request.ts';
import type { CreateRequest } from './request.ts';
import type { OutputItem } from './wire.ts';

/** What a message costs beyond its text. */
const TOKENS_PER_ITEM = 3;

/** Text that spells a control token is text here, never an error. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

/** The tokenizer's time rises with the square of the longest word. */
const LONGEST_WORD = 256;

export function textTokens(text: string): number {
  const pieces = text.match(PIECES) ?? [];
  return pieces.reduce((sum, piece) => sum + countTokens(piece, AS_TEXT), 0);
}

/** Longer words apart, cut up; what is between them as it is. */
const PIECES = new RegExp(`\\S{${LONGEST_WORD}}|(?:(?!\\S{${LONGEST_WORD}})[^])+`, 'gu');

export function inputTokens(
  request: Pick<CreateRequest, 'instructions' | 'input' | 'tools'>,
): number {
  const tools = request.tools.reduce((sum, tool) => sum + textTokens(JSON.stringify(tool)), 0);
  return tools + textTokens(request.instructions ?? '') + itemTokens(request.input);
}

export function outputTokens(items: OutputItem[]): number {
  return itemTokens(items as unknown as JsonObject[]);
}

function itemTokens(items: JsonObject[]): number {
  return items.reduce((sum, item) => sum + TOKENS_PER_ITEM + textTokens(itemText(item)), 0);
}
