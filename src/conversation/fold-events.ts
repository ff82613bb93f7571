import type { Item, JsonObject } from '../contracts/json.ts';
import type { NewEvent } from '../contracts/store.ts';
import type { NumberedEvent } from './answer-text.ts';
import { isObject } from './items.ts';

/** Stands in for the events `from` to `to`, under the number `to`. */
export interface FoldedRun {
  from: number;
  to: number;
  event: NewEvent;
}

/**
 * Replaces each unbroken run of deltas by one `turn.folded`. What the deltas said is in the item that
 * `response.output_item.done` brings behind them; messages that never got theirs, as when an answer was cut off, come
 * with the fold, each with all of its text up to there. So whoever has read up to any number ends with the same text.
 */
export function foldDeltas(events: NumberedEvent[]): FoldedRun[] {
  const kept = keptNumbers(events);
  const whole = wholeItems(events.filter(({ number }) => kept.has(number)));
  const broken = new Map<string, string>();
  return runsOfDeltas(events).map((run) => {
    const shown = run.filter(({ number }) => kept.has(number)).map(({ event }) => event);
    for (const event of shown) gather(broken, event);
    const ids = new Set(shown.map((event) => String(event['item_id'])));
    const items = [...broken].filter(([id]) => ids.has(id) && !whole.has(id));
    return foldedRun(run, items.map(brokenMessage));
  });
}

/** Numbers of the events that no rewind took back. */
function keptNumbers(events: NumberedEvent[]): Set<number> {
  const kept: number[] = [];
  for (const { number, event } of events) {
    if (event.type === 'turn.rewind') while ((kept.at(-1) ?? 0) > Number(event['to'])) kept.pop();
    else kept.push(number);
  }
  return new Set(kept);
}

function wholeItems(events: NumberedEvent[]): Set<string> {
  const items = events.flatMap(({ event }) =>
    event.type === 'response.output_item.done' && isObject(event['item']) ? [event['item']] : [],
  );
  return new Set(items.map((item) => String(item['id'])));
}

type Run = [NumberedEvent, ...NumberedEvent[]];

function runsOfDeltas(events: NumberedEvent[]): Run[] {
  const runs: Run[] = [];
  for (const entry of events.filter(({ event }) => event.type.endsWith('.delta'))) {
    const run = runs.at(-1);
    if (run?.at(-1)?.number === entry.number - 1) run.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

function gather(texts: Map<string, string>, event: JsonObject): void {
  if (event['type'] !== 'response.output_text.delta' || typeof event['delta'] !== 'string') return;
  const id = String(event['item_id']);
  texts.set(id, (texts.get(id) ?? '') + event['delta']);
}

function brokenMessage([id, text]: [id: string, text: string]): Item {
  return {
    ...{ type: 'message', id, role: 'assistant', status: 'incomplete' },
    content: [{ type: 'output_text', text, annotations: [] }],
  };
}

function foldedRun(run: Run, items: Item[]): FoldedRun {
  const [first] = run;
  const from = first.number;
  const to = from + run.length - 1;
  return { from, to, event: { type: 'turn.folded', from, to, ...(items.length > 0 && { items }) } };
}
