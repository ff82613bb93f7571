import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../src/contracts/store.ts';
import { mergeDeltas } from '../../src/conversation/deltas.ts';
import { deltaCharacters, foldPartialAnswer } from '../../src/conversation/fold.ts';

const TEXT = 'response.output_text.delta';
const ARGUMENTS = 'response.function_call_arguments.delta';

const delta = fc.record({
  type: fc.constantFrom(TEXT, ARGUMENTS, 'response.refusal.delta'),
  item_id: fc.constantFrom('one', 'two'),
  output_index: fc.constantFrom(0, 1),
  content_index: fc.constantFrom(0, 1),
  sequence_number: fc.nat(),
  delta: fc.string({ unit: 'binary' }),
});
const other = fc.record({
  type: fc.constantFrom('response.created', 'x'),
  sequence_number: fc.nat(),
});
const stream = fc.array(fc.oneof({ weight: 4, arbitrary: delta }, other));

/** What a reader has in the end: each part's text, in the order that parts began. */
function partsOf(events: NewEvent[]): Map<string, string> {
  const parts = new Map<string, string>();
  for (const { type, item_id, output_index, content_index, delta: text } of events) {
    if (typeof text !== 'string') continue;
    const part = JSON.stringify([type, item_id, output_index, content_index]);
    parts.set(part, (parts.get(part) ?? '') + text);
  }
  return parts;
}

/** The events that are no deltas, with the texts between them. */
function stretches(events: NewEvent[]): unknown[] {
  const ends = events.flatMap((event, index) => ('delta' in event ? [] : [index]));
  return [...ends, events.length].map((end, n) => {
    const between = events.slice((ends[n - 1] ?? -1) + 1, end);
    return [[...partsOf(between)], events[end]];
  });
}

describe('merging deltas', () => {
  it('changes nothing of what readers have in the end', () => {
    fc.assert(
      fc.property(stream, (events) => {
        const merged = mergeDeltas(events);
        expect([...partsOf(merged)]).toEqual([...partsOf(events)]);
        expect(deltaCharacters(merged)).toBe(deltaCharacters(events));
        expect(foldPartialAnswer(merged)).toEqual(foldPartialAnswer(events));
      }),
    );
  });

  it('keeps all other events in their places', () => {
    fc.assert(
      fc.property(stream, (events) => {
        expect(stretches(mergeDeltas(events))).toEqual(stretches(events));
      }),
    );
  });

  it('leaves no two neighbours that belong together', () => {
    fc.assert(
      fc.property(stream, (events) => {
        const merged = mergeDeltas(events);
        expect(mergeDeltas(merged)).toEqual(merged);
      }),
    );
  });

  it('joins what belongs to one part, under the last sequence number', () => {
    const at = { type: TEXT, item_id: 'm', output_index: 0, content_index: 0, logprobs: [] };
    const merged = mergeDeltas([
      { ...at, delta: 'a', sequence_number: 4 },
      { ...at, delta: 'b', sequence_number: 5 },
    ]);
    expect(merged).toEqual([{ ...at, delta: 'ab', sequence_number: 5 }]);
  });

  it('leaves deltas with probabilities alone', () => {
    const events = ['a', 'b'].map((text) => ({
      type: TEXT,
      item_id: 'm',
      delta: text,
      logprobs: [{ token: text }],
    }));
    expect(mergeDeltas(events)).toEqual(events);
  });
});

describe('folding an answer that was broken off', () => {
  it('makes a message of each text that readers saw, and of nothing else', () => {
    const text = (id: string, part: string) => ({ type: TEXT, item_id: id, delta: part });
    const events = [
      { type: 'response.reasoning_text.delta', item_id: 'r', delta: 'Hm.' },
      text('one', 'It was '),
      { type: ARGUMENTS, item_id: 'f', delta: '{"a":' },
      text('two', 'And '),
      text('one', 'a dark night'),
      text('three', ''),
    ];
    expect(foldPartialAnswer(events)).toEqual(
      ['It was a dark night', 'And '].map((said) => ({
        type: 'message',
        role: 'assistant',
        status: 'incomplete',
        content: [{ type: 'output_text', text: said, annotations: [] }],
      })),
    );
    expect(deltaCharacters(events)).toBe('Hm.It was {"a":And a dark night'.length);
  });
});
