import type { Turnkeeper } from '../../src/client/client.ts';
import type { TurnEvent } from '../../src/contracts/store.ts';

/** All events of a turn, read as they come, up to the last one. */
export async function readEvents(turnkeeper: Turnkeeper, turnId: string): Promise<TurnEvent[]> {
  const events: TurnEvent[] = [];
  for await (const event of turnkeeper.turns.events(turnId)) events.push(event);
  return events;
}

/** What is left of a turn's events for a reader who takes back what `turn.rewind` says: all after number `to`. */
export function applyRewinds(events: TurnEvent[]): TurnEvent[] {
  return events.reduce<TurnEvent[]>((kept, entry) => {
    const { type, to } = entry.event;
    if (type !== 'turn.rewind') return [...kept, entry];
    return kept.filter(({ number }) => number <= Number(to));
  }, []);
}

/** The texts that such a reader has in the end, put together from their deltas, one for each message. */
export function shownTexts(events: TurnEvent[]): string[] {
  const texts = new Map<string, string>();
  for (const { event } of applyRewinds(events)) {
    if (event.type !== 'response.output_text.delta') continue;
    const id = String(event['item_id']);
    texts.set(id, (texts.get(id) ?? '') + String(event['delta']));
  }
  return [...texts.values()];
}

export function countOf(events: TurnEvent[], type: string): number {
  return events.filter(({ event }) => event.type === type).length;
}
