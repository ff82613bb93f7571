import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import type { ModelEvent } from '../../src/contracts/model.ts';
import { readerEvent, replyCollector } from '../../src/conversation/collect.ts';

const item = (id: string): Item => ({ type: 'message', id });

function collect(...events: ModelEvent[]) {
  const collector = replyCollector();
  for (const event of events) collector.add(event);
  return collector.result();
}

const completed = (response: JsonObject): ModelEvent => ({
  type: 'response.completed',
  response: { status: 'completed', ...response },
});

describe('collecting a reply', () => {
  it('takes the items of the terminal event', () => {
    const done = { type: 'response.output_item.done', item: item('early') };
    const reply = collect(
      done,
      completed({ id: 'resp_1', model: 'm-2', output: [item('a'), item('b')] }),
    );
    expect(reply).toMatchObject({
      items: [item('a'), item('b')],
      responseId: 'resp_1',
      model: 'm-2',
      incomplete: null,
    });
  });

  it('takes them one by one from servers that leave them out there', () => {
    const events = ['a', 'b'].map((id) => ({ type: 'response.output_item.done', item: item(id) }));
    expect(collect(...events, completed({ output: [] })).items).toEqual([item('a'), item('b')]);
    expect(collect(...events, completed({})).items).toEqual([item('a'), item('b')]);
  });

  it.each([
    [{ reason: 'max_output_tokens' }, 'max_output_tokens'],
    [{ reason: 'content_filter' }, 'content_filter'],
    [null, 'incomplete'],
    [{ reason: '' }, 'incomplete'],
  ])('names why it is incomplete (%j)', (details, reason) => {
    const response = { status: 'incomplete', incomplete_details: details };
    expect(collect({ type: 'response.incomplete', response }).incomplete).toBe(reason);
  });

  it('counts what the server counted', () => {
    const usage = {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 8 },
      output_tokens: 5,
      output_tokens_details: { reasoning_tokens: 3 },
    };
    const counted = { inputTokens: 10, cachedTokens: 8, outputTokens: 5, reasoningTokens: 3 };
    expect(collect(completed({ usage })).usage).toEqual(counted);
  });

  it('never counts anything but whole numbers, whatever a server sends', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (tokens, usage) => {
        const given = [
          usage,
          { input_tokens: tokens, output_tokens: tokens, output_tokens_details: tokens },
        ];
        for (const one of given) {
          const counts = Object.values(collect(completed({ usage: one as JsonObject })).usage);
          expect(counts.every((count) => Number.isSafeInteger(count) && count >= 0)).toBe(true);
        }
      }),
    );
  });

  it('keeps ids that the database can keep', () => {
    expect(collect(completed({ id: 'a\u0000b', model: 7 }))).toMatchObject({
      responseId: 'a\ufffdb',
      model: null,
    });
  });
});

describe('an event for readers', () => {
  it('does not repeat what the assistant is and what was said', () => {
    const response = {
      id: 'resp_1',
      status: 'in_progress',
      model: 'm',
      instructions: 'Secret.',
      tools: [{ type: 'function' }],
      output: [item('a')],
      usage: null,
    };
    const event = { type: 'response.created', sequence_number: 0, response };
    expect(readerEvent(event)).toEqual({
      type: 'response.created',
      sequence_number: 0,
      response: { id: 'resp_1', status: 'in_progress', model: 'm', usage: null },
    });
  });

  it('is the model’s own when it carries no response', () => {
    const event = { type: 'response.output_text.delta', delta: 'a', response: 'text' };
    expect(readerEvent(event)).toBe(event);
  });

  it.each(['turn.done', 'turn.rewind'])('is not taken for one of ours (%s)', (type) => {
    expect(readerEvent({ type, to: 0 })).toEqual({ type: `provider.${type}`, to: 0 });
  });
});
