import type { Item, Json, JsonObject } from '../contracts/json.ts';
import type { ModelEvent } from '../contracts/model.ts';
import type { CallUsage, NewEvent } from '../contracts/store.ts';
import { isObject } from './items.ts';

export interface CollectedReply {
  items: Item[];
  responseId: string | null;
  model: string | null;
  /** Null when the model finished; else why not: `max_output_tokens`, `content_filter`. */
  incomplete: string | null;
  usage: Pick<CallUsage, 'inputTokens' | 'cachedTokens' | 'outputTokens' | 'reasoningTokens'>;
}

/** Gathers a reply from its stream. The terminal event has all items; servers that leave them out sent them one by one. */
export function replyCollector() {
  const done: Item[] = [];
  let response: JsonObject = {};
  return {
    add(event: ModelEvent): void {
      if (event.type === 'response.output_item.done') done.push(event['item'] as Item);
      if (isObject(event['response'])) response = event['response'];
    },
    result(): CollectedReply {
      const output = response['output'];
      return {
        items: Array.isArray(output) && output.length > 0 ? (output as Item[]) : done,
        responseId: text(response['id']),
        model: text(response['model']),
        incomplete: incompleteReason(response),
        usage: usageOf(response['usage']),
      };
    },
  };
}

function incompleteReason(response: JsonObject): string | null {
  if (response['status'] !== 'incomplete') return null;
  const details = response['incomplete_details'];
  return (isObject(details) && text(details['reason'])) || 'incomplete';
}

function usageOf(usage: Json | undefined): CollectedReply['usage'] {
  const of = (value: Json | undefined, field: string): number => {
    const count = isObject(value) ? value[field] : undefined;
    return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : 0;
  };
  const details = (field: string) => (isObject(usage) ? usage[field] : undefined);
  return {
    inputTokens: of(usage, 'input_tokens'),
    cachedTokens: of(details('input_tokens_details'), 'cached_tokens'),
    outputTokens: of(usage, 'output_tokens'),
    reasoningTokens: of(details('output_tokens_details'), 'reasoning_tokens'),
  };
}

/** The provider's id of the response that these events are of. */
export function responseIdOf(events: NewEvent[]): string | null {
  for (const { response } of events) {
    const id = isObject(response) ? text(response['id']) : null;
    if (id !== null) return id;
  }
  return null;
}

const KEPT_OF_RESPONSE = [
  'id',
  'object',
  'status',
  'model',
  'usage',
  'incomplete_details',
  'error',
];

/**
 * An event as readers get it: without the response's copy of instructions, tools and items. Types that begin with `turn.`
 * are ours: a provider's would end a stream or take text back.
 */
export function readerEvent(event: ModelEvent): NewEvent {
  const type = event.type.startsWith('turn.') ? `provider.${event.type}` : event.type;
  const { response } = event;
  if (!isObject(response)) return type === event.type ? event : { ...event, type };
  const kept = Object.entries(response).filter(([field]) => KEPT_OF_RESPONSE.includes(field));
  return { ...event, type, response: Object.fromEntries(kept) };
}

const ENDS: Partial<Record<string, 'completed' | 'incomplete'>> = {
  'response.completed': 'completed',
  'response.incomplete': 'incomplete',
};

/** How the response has ended with this event; null while it goes on. A failure is no event but an error. */
export function endOf({ type }: ModelEvent): 'completed' | 'incomplete' | null {
  return ENDS[type] ?? null;
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value.replaceAll('\u0000', '\ufffd') : null;
}
