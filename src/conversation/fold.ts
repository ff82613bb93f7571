import type { Item, JsonObject } from '../contracts/json.ts';

/** Characters of all deltas, whatever they are part of. */
export function deltaCharacters(events: JsonObject[]): number {
  return events.reduce(
    (total, event) => total + (typeof event['delta'] === 'string' ? event['delta'].length : 0),
    0,
  );
}

/**
 * The text that readers saw of an answer that was broken off, as `incomplete` messages without ids: what the provider
 * never finished it does not know. Calls and reasoning that were broken off are dropped; they never took effect.
 */
export function foldPartialAnswer(events: JsonObject[]): Item[] {
  const texts = new Map<string, string>();
  for (const event of events) {
    if (event['type'] !== 'response.output_text.delta' || typeof event['delta'] !== 'string')
      continue;
    const message = String(event['item_id']);
    texts.set(message, (texts.get(message) ?? '') + event['delta']);
  }
  return [...texts.values()].filter((text) => text !== '').map(incompleteMessage);
}

function incompleteMessage(text: string): Item {
  return {
    type: 'message',
    role: 'assistant',
    status: 'incomplete',
    content: [{ type: 'output_text', text, annotations: [] }],
  };
}
