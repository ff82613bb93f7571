import type { NewEvent } from '../contracts/store.ts';

/** Joins neighbouring deltas of the same part, so that a batch has one event for them. The last `sequence_number` stays. */
export function mergeDeltas(events: NewEvent[]): NewEvent[] {
  const merged: NewEvent[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if (last && continues(last, event)) {
      merged[merged.length - 1] = {
        ...event,
        delta: String(last['delta']) + String(event['delta']),
      };
    } else merged.push(event);
  }
  return merged;
}

const JOINED_BY = ['type', 'item_id', 'output_index', 'content_index', 'summary_index'] as const;

function continues(last: NewEvent, event: NewEvent): boolean {
  if (typeof last['delta'] !== 'string' || typeof event['delta'] !== 'string') return false;
  if (hasLogprobs(last) || hasLogprobs(event)) return false;
  return JOINED_BY.every((field) => last[field] === event[field]);
}

function hasLogprobs(event: NewEvent): boolean {
  return Array.isArray(event['logprobs']) && event['logprobs'].length > 0;
}
