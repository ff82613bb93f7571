import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import { eventsOf, shownSoFar } from '../../src/conversation/shown.ts';

const message = (id: string, ...texts: string[]): Item => ({
  type: 'message',
  id,
  status: 'completed',
  content: texts.map((text) => ({ type: 'output_text', text, annotations: [] })),
});

const call: Item = {
  type: 'function_call',
  id: 'fc_1',
  call_id: 'c',
  name: 'f',
  arguments: '{"a":1}',
};
const refusal: Item = {
  type: 'message',
  id: 'm_r',
  content: [{ type: 'refusal', refusal: 'I would rather not.' }],
};

const response = (...output: Item[]): JsonObject => ({ id: 'resp_1', status: 'completed', output });

/** All events of a stream that says each text in deltas of so many characters. */
function streamed(finished: JsonObject, size: number) {
  return eventsOf(finished).flatMap((event) => {
    const { delta } = event;
    if (typeof delta !== 'string') return [event];
    const pieces = Array.from({ length: Math.ceil(delta.length / size) }, (_, index) =>
      delta.slice(index * size, (index + 1) * size),
    );
    return pieces.map((piece) => ({ ...event, delta: piece }));
  });
}

/** Deltas that follow each other as one. */
function joined(events: JsonObject[]): JsonObject[] {
  return events.reduce<JsonObject[]>((all, event) => {
    const last = all.at(-1);
    if (!last || typeof event['delta'] !== 'string' || last['type'] !== event['type'])
      return [...all, event];
    return [...all.slice(0, -1), { ...event, delta: String(last['delta']) + event['delta'] }];
  }, []);
}

const WHOLE = response(message('m_1', 'Beavers build dams.', 'And lodges.'), call, refusal);

describe('what is still to be shown of a response that has finished', () => {
  it('makes, with what was shown up to any point, the whole of it', () => {
    const size = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(size, fc.nat(), (characters, point) => {
        const all = streamed(WHOLE, characters);
        const before = all.slice(0, point % all.length);
        const shown = shownSoFar();
        for (const event of before) shown.add(event);
        const rest = shown.rest(WHOLE);
        expect(rest).not.toBeNull();
        expect(joined([...before, ...(rest ?? [])])).toEqual(joined(all));
      }),
    );
  });

  it('is each text as one delta, then what tells that it is done', () => {
    const shown = shownSoFar();
    const [added, part, delta] = eventsOf(response(message('m_1', 'Beavers build dams.')));
    shown.add(added ?? { type: '' });
    shown.add(part ?? { type: '' });
    shown.add({ type: '', ...delta, delta: 'Beavers ' });
    const rest = shown.rest(response(message('m_1', 'Beavers build dams.')));
    expect(rest?.map(({ type, delta: text }) => [type, text])).toEqual([
      ['response.output_text.delta', 'build dams.'],
      ['response.output_text.done', undefined],
      ['response.content_part.done', undefined],
      ['response.output_item.done', undefined],
      ['response.completed', undefined],
    ]);
  });

  it('begins with the items that reasoning came before', () => {
    const reasoning: Item = { type: 'reasoning', id: 'rs_1', summary: [] };
    const shown = shownSoFar();
    shown.add({ type: 'response.reasoning_summary_text.delta', output_index: 0, delta: 'Hm.' });
    const rest = shown.rest(response(reasoning, message('m_1', 'Yes.')));
    expect(rest?.map(({ type }) => type)).toContain('response.output_text.delta');
  });

  it.each([
    ['another text', message('m_1', 'Voles build nothing.')],
    ['less of it', message('m_1', 'Beav')],
    ['no text', call],
  ])('is nothing that fits when the response turns out to be %s', (_what, item) => {
    const shown = shownSoFar();
    for (const event of streamed(response(message('m_1', 'Beavers build dams.')), 4).slice(0, 5))
      shown.add(event);
    expect(shown.rest(response(item))).toBeNull();
  });

  it('ends as the response does', () => {
    const finished = { ...response(message('m_1', 'Half')), status: 'incomplete' };
    expect(shownSoFar().rest(finished)?.at(-1)).toEqual({
      type: 'response.incomplete',
      response: finished,
    });
  });
});
