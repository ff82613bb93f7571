import type { Item, Json, JsonObject } from '../contracts/json.ts';
import type { ModelEvent } from '../contracts/model.ts';
import type { NewEvent } from '../contracts/store.ts';
import { isObject } from './items.ts';

/** What readers were shown of a response, and what they have still to be shown once it is there as a whole. */
interface Shown {
  add(event: NewEvent): void;
  /**
   * The rest of the finished response, each text as one delta, up to its terminal event. Null when what was shown is not
   * how the response begins.
   */
  rest(response: JsonObject): ModelEvent[] | null;
}

export function shownSoFar(): Shown {
  const texts = new Map<string, string>();
  const told = new Set<string>();
  return {
    add(event) {
      const key = keyOf(event);
      if (typeof event['delta'] !== 'string') told.add(key);
      else texts.set(key, (texts.get(key) ?? '') + event['delta']);
    },
    rest(response) {
      const whole = eventsOf(response);
      const known = new Set(whole.map(keyOf));
      if ([...texts.keys()].some((key) => isText(key) && !known.has(key))) return null;
      const rest: ModelEvent[] = [];
      for (const event of whole) {
        const left = typeof event['delta'] === 'string' ? deltaLeft(event, texts) : event;
        if (left === null) return null;
        if (left['delta'] !== '' && !told.has(keyOf(event))) rest.push(left);
      }
      return rest;
    },
  };
}

/** All events of a finished response, as one that answers too late for a stream would have streamed it. */
export function eventsOf(response: JsonObject): ModelEvent[] {
  const output = Array.isArray(response['output']) ? (response['output'] as Item[]) : [];
  const items = output.flatMap((item, index) => [
    { type: 'response.output_item.added', output_index: index, item: begun(item) },
    ...itemEvents(item, { item_id: item['id'] ?? null, output_index: index }),
    { type: 'response.output_item.done', output_index: index, item },
  ]);
  return [...items, { type: `response.${String(response['status'])}`, response }];
}

interface Place {
  item_id: Json;
  output_index: number;
}

function begun(item: Item): Item {
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] };
  if (item.type === 'function_call') return { ...item, status: 'in_progress', arguments: '' };
  return item;
}

function itemEvents(item: Item, place: Place): ModelEvent[] {
  if (item.type === 'message' && Array.isArray(item['content']))
    return item['content']
      .filter(isObject)
      .flatMap((part, index) => partEvents(part, { ...place, content_index: index }));
  if (item.type === 'function_call')
    return textEvents('function_call_arguments', 'arguments', item, place);
  return [];
}

function partEvents(part: JsonObject, place: Place & { content_index: number }): ModelEvent[] {
  const [name, field] =
    part['type'] === 'refusal'
      ? (['refusal', 'refusal'] as const)
      : (['output_text', 'text'] as const);
  return [
    { type: 'response.content_part.added', ...place, part: { ...part, [field]: '' } },
    ...textEvents(name, field, part, place),
    { type: 'response.content_part.done', ...place, part },
  ];
}

function textEvents(name: string, field: string, owner: JsonObject, place: Place): ModelEvent[] {
  const text = owner[field];
  if (typeof text !== 'string') return [];
  return [
    { type: `response.${name}.delta`, ...place, delta: text },
    { type: `response.${name}.done`, ...place, [field]: text },
  ];
}

const PLACE = ['type', 'output_index', 'content_index', 'summary_index'] as const;

function keyOf(event: JsonObject): string {
  return PLACE.map((field) => String(event[field] ?? '')).join(' ');
}

/** Reasoning is not compared: whoever polls gets none of what was streamed of it. */
function isText(key: string): boolean {
  return key.startsWith('response.output_text.') || key.startsWith('response.refusal.');
}

function deltaLeft(event: ModelEvent, texts: Map<string, string>): ModelEvent | null {
  const whole = String(event['delta']);
  const shown = texts.get(keyOf(event)) ?? '';
  return whole.startsWith(shown) ? { ...event, delta: whole.slice(shown.length) } : null;
}
