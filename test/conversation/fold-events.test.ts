import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../src/contracts/store.ts';
import {
  answerReader,
  answerText,
  type NumberedEvent,
} from '../../src/conversation/answer-text.ts';
import { foldDeltas } from '../../src/conversation/fold-events.ts';

const delta = (id: string, text: string): NewEvent => ({
  ...{ type: 'response.output_text.delta', item_id: id, delta: text },
});

const message = (id: string, text: string): NewEvent => ({
  type: 'response.output_item.done',
  item: { type: 'message', id, role: 'assistant', content: [{ type: 'output_text', text }] },
});

/** An attempt of a model call: the words of its messages, and how it ended. */
interface Attempt {
  messages: string[][];
  reasoning: string[];
  end: 'done' | 'rewound' | 'cut';
}

/** A turn's events as the store would have them, and the texts that its messages came to. */
function turnOf(attempts: Attempt[]): { events: NumberedEvent[]; texts: string[] } {
  const events: NumberedEvent[] = [];
  const texts: string[] = [];
  const add = (event: NewEvent) => void events.push({ number: events.length + 1, event });
  add({ type: 'turn.started' });
  let a = 0;
  for (const attempt of attempts) {
    const base = events.length;
    add({ type: 'response.created' });
    for (const text of attempt.reasoning)
      add({ type: 'response.reasoning_summary_text.delta', item_id: `r${a}`, delta: text });
    attempt.messages.forEach((words, m) => {
      const id = `m${a}-${m}`;
      words.forEach((word, w) => {
        add(delta(id, word));
        if (w === 1) add({ type: 'response.output_text.annotation.added', item_id: id });
      });
      const isLast = m === attempt.messages.length - 1;
      if (attempt.end === 'done' || !isLast) add(message(id, words.join('')));
      if (attempt.end !== 'rewound' && (attempt.end === 'done' || !isLast || words.length > 0))
        texts.push(words.join(''));
    });
    if (attempt.end === 'rewound') add({ type: 'turn.rewind', to: base });
    if (attempt.end === 'done') {
      add({ type: 'response.function_call_arguments.delta', item_id: `c${a}`, delta: '{}' });
      add({ type: 'response.output_item.done', item: { type: 'function_call', id: `c${a}` } });
      add({ type: 'turn.tool_progress', message: 'working' });
    }
    // The next attempt may be shown the same response, with the same ids, once more.
    if (attempt.end !== 'rewound') a += 1;
  }
  add({ type: 'turn.done' });
  return { events, texts };
}

function folded(events: NumberedEvent[]): NumberedEvent[] {
  const runs = foldDeltas(events);
  return events.flatMap((entry) => {
    const run = runs.find(({ from, to }) => entry.number >= from && entry.number <= to);
    if (!run) return [entry];
    return entry.number === run.to ? [{ ...entry, event: run.event }] : [];
  });
}

function textsOf(...events: NumberedEvent[]): string[] {
  const reader = answerReader();
  for (const event of events) reader.read(event);
  return reader.texts();
}

const words = fc.array(fc.constantFrom('Hello ', 'there', '. ', 'x'), { maxLength: 4 });
const attempt = (end: Attempt['end']) =>
  fc.record({
    messages: fc.array(words, { maxLength: 2 }),
    reasoning: words,
    end: fc.constant(end),
  });
const turn = fc
  .tuple(
    fc.array(fc.oneof(attempt('done'), attempt('rewound')), { maxLength: 3 }),
    fc.option(attempt('cut'), { nil: undefined }),
  )
  .map(([attempts, last]) => turnOf(last ? [...attempts, last] : attempts));

describe('the text of a turn', () => {
  it('is the same whether its events were folded before, after or while it was read', () => {
    const property = fc.property(turn, ({ events, texts }) => {
      const later = folded(events);
      expect(textsOf(...events)).toEqual(texts);
      expect(textsOf(...later)).toEqual(texts);
      for (let k = 0; k <= events.length; k++) {
        const rest = later.filter(({ number }) => number > k);
        expect(textsOf(...events.slice(0, k), ...rest), `read up to ${k}`).toEqual(texts);
      }
    });
    fc.assert(property, { seed: 5_005, numRuns: 500 });
  });

  it('is its last message', () => {
    const entries = [message('a', 'Let me look.'), delta('b', 'It '), delta('b', 'is here.')];
    const events = entries.map((event, index) => ({ number: index + 1, event }));
    expect(answerText(events)).toBe('It is here.');
    expect(answerText([])).toBe('');
  });

  it('takes the item over what its deltas said, and nothing that is no message', () => {
    const call = { type: 'response.output_item.done', item: { type: 'function_call', id: 'a' } };
    const entries = [
      delta('a', 'It'),
      call,
      message('a', 'It is.'),
      delta('a', 'And'),
      delta('b', '!'),
    ];
    const events = entries.map((event, index) => ({ number: index + 1, event }));
    expect(textsOf(...events)).toEqual(['It is.', 'And', '!']);
  });
});

describe('folding', () => {
  const fold = (events: NewEvent[]) =>
    foldDeltas(events.map((event, index) => ({ number: index + 1, event })));

  it('replaces each run of deltas, whatever they are part of, and nothing else', () => {
    const args = { type: 'response.function_call_arguments.delta', item_id: 'c', delta: '{' };
    const events = [{ type: 'turn.started' }, delta('a', 'x'), args, message('a', 'x'), args];
    expect(fold(events)).toEqual([
      { from: 2, to: 3, event: { type: 'turn.folded', from: 2, to: 3 } },
      { from: 5, to: 5, event: { type: 'turn.folded', from: 5, to: 5 } },
    ]);
  });

  it('brings a message that was cut off, with all of its text so far', () => {
    const note = { type: 'response.output_text.annotation.added', item_id: 'b' };
    const events = [message('a', 'x'), delta('b', 'It '), note, delta('b', 'is')];
    const brought = fold(events).map(({ event }) => event['items']);
    expect(brought).toMatchObject([
      [{ id: 'b', status: 'incomplete', content: [{ text: 'It ' }] }],
      [{ id: 'b', status: 'incomplete', content: [{ text: 'It is' }] }],
    ]);
  });

  it('brings nothing of what was taken back', () => {
    const events = [delta('a', 'No'), { type: 'turn.rewind', to: 0 }, delta('b', 'Yes')];
    expect(fold(events).map(({ event }) => event['items'])).toMatchObject([
      undefined,
      [{ id: 'b', content: [{ text: 'Yes' }] }],
    ]);
  });

  it('finds nothing to do in what was folded', () => {
    expect(fold([{ type: 'turn.folded', from: 1, to: 9 }, { type: 'turn.done' }])).toEqual([]);
  });
});
