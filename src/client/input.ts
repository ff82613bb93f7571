import { TurnkeeperError } from '../contracts/errors.ts';
import type { Item } from '../contracts/json.ts';
import type { Limits } from '../conversation/limits.ts';
import { oneOf, optional, refuse, shape, string, text, type Check, type Shape } from './checks.ts';
import { checkLimit, checkSize } from './requests.ts';

/** What a message has that was read from a conversation; it is not kept. */
export interface ReadMessage {
  id?: string;
  status?: 'in_progress' | 'completed' | 'incomplete';
}

/** A message as the Responses API takes it. */
export interface InputItem extends ReadMessage {
  type?: 'message';
  role: 'user' | 'system' | 'developer';
  content: string | InputPart[];
}

/** An image has `image_url` or `file_id`, a file has `file_data`, `file_url` or `file_id`. */
export type InputPart =
  | { type: 'input_text'; text: string }
  | { type: 'input_image'; image_url?: string; file_id?: string; detail?: string }
  | {
      type: 'input_file';
      file_data?: string;
      file_url?: string;
      file_id?: string;
      filename?: string;
      detail?: string;
    };

/** The items of a turn's input, normalised: each a message with a list of parts. */
export function inputItems(input: string | InputItem[], limits: Limits): Item[] {
  if (Array.isArray(input)) return listItems(input, 'input', limits, inputMessage);
  if (typeof input !== 'string') return refuse('input', 'must be a string or an array of items');
  const items = [inputMessage({ role: 'user', content: input }, 'input')];
  checkSize(items, 'input', 'maxInputBytes', limits);
  return items;
}

/** A list of messages, each normalised by `message`; `field` names the list. */
export function listItems<T>(
  list: T[],
  field: string,
  limits: Limits,
  message: (item: T, path: string) => Item,
): Item[] {
  if (list.length === 0) throw emptyInput(field);
  checkLimit(list.length, `items of ${field}`, 'maxItemsPerTurn', limits);
  const items = list.map((item, index) => {
    requireMessage(item, `${field}[${index}].type`);
    return message(item, `${field}[${index}]`);
  });
  checkSize(items, field, 'maxInputBytes', limits);
  return items;
}

/** Before its fields are looked at: those of other items are not known. */
function requireMessage(item: unknown, path: string): void {
  const { type } = (item ?? {}) as Record<string, unknown>;
  if (type !== undefined && type !== 'message')
    refuse(
      path,
      'must be message: only messages are taken, no calls, outputs, reasoning or references',
    );
}

export const READ_MESSAGE: Shape = {
  id: optional(string),
  status: optional(oneOf('in_progress', 'completed', 'incomplete')),
};

const checkMessage = shape({
  ...READ_MESSAGE,
  type: optional(oneOf('message')),
  role: oneOf('user', 'system', 'developer'),
  content: () => undefined,
});

export function inputMessage(item: InputItem, path: string): Item {
  checkMessage(item, path);
  const content = parts(item.content, path);
  if (!content.some(hasContent)) throw emptyInput(path);
  return { type: 'message', role: item.role, content };
}

function parts(content: InputItem['content'], path: string): InputPart[] {
  if (typeof content === 'string') {
    string(content, path);
    return [{ type: 'input_text', text: content }];
  }
  if (!Array.isArray(content)) return refuse(`${path}.content`, 'must be a string or an array');
  content.forEach((part, index) => checkPart(part, `${path}.content[${index}]`));
  return content;
}

function hasContent(part: InputPart): boolean {
  return part.type !== 'input_text' || part.text.trim() !== '';
}

export function emptyInput(path: string): TurnkeeperError {
  return new TurnkeeperError('input_empty', `${path} has no content.`, { field: path });
}

const detail = optional(oneOf('low', 'high', 'auto', 'original'));

const PARTS: Record<InputPart['type'], { fields: Shape; oneOf: string[] }> = {
  input_text: { fields: { text: string }, oneOf: ['text'] },
  input_image: {
    fields: { image_url: optional(text), file_id: optional(text), detail },
    oneOf: ['image_url', 'file_id'],
  },
  input_file: {
    fields: {
      file_data: optional(text),
      file_url: optional(text),
      file_id: optional(text),
      filename: optional(text),
      detail,
    },
    oneOf: ['file_data', 'file_url', 'file_id'],
  },
};

const checkPart: Check = (value, path) => {
  const part = (value ?? {}) as Record<string, unknown>;
  oneOf(...Object.keys(PARTS))(part.type, `${path}.type`);
  const kind = PARTS[part.type as InputPart['type']];
  shape({ type: string, ...kind.fields })(value, path);
  if (kind.oneOf.filter((field) => part[field] !== undefined).length !== 1) {
    refuse(path, `must have exactly one of ${kind.oneOf.join(', ')}`);
  }
};
