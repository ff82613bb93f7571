import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AddItems } from '../../src/client/add-items.ts';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { RecordingStarter } from './recording-starter.ts';
import { answer, expectRefused, newTalk, startWorld, type Talk, type World } from './world.ts';

const LINK = { type: 'url_citation' };

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;
let talk: Talk;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

beforeEach(async () => {
  ({ client, starter } = world.client());
  talk = await newTalk(client);
});

describe('adding items', () => {
  const add = (items: unknown, more: Partial<AddItems> = {}) =>
    client.conversations.addItems(talk.conversationId, { items, ...more } as AddItems);

  it('takes a history with the answers of assistants', async () => {
    const image = { type: 'input_image', image_url: 'https://example.com/a.png' };
    const items = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [image, { type: 'input_text', text: 'What is it?' }] },
      { role: 'assistant', content: [{ type: 'output_text', text: 'A beaver.' }] },
      { type: 'message', role: 'assistant', content: 'Or two.' },
    ];
    expect(await add(items)).toEqual({ queued: false });
    const { data } = await client.conversations.items(talk.conversationId);
    const said = (text: string) => ({
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    });
    expect(data.map(({ item }) => item).slice(1)).toEqual([
      { type: 'message', role: 'user', content: items[1]?.content },
      said('A beaver.'),
      said('Or two.'),
    ]);
  });

  it('takes back the messages that a conversation gives, without their ids', async () => {
    const link = {
      ...{ type: 'url_citation', url: 'https://example.com', title: 'A' },
      ...{ start_index: 0, end_index: 1 },
    };
    const file = { type: 'file_citation', file_id: 'file_1', filename: 'a.md', index: 0 };
    const content = [
      { type: 'output_text', text: 'A beaver.', annotations: [link, file], logprobs: [] },
      { type: 'refusal', refusal: 'I cannot say more.' },
    ];
    const said = {
      ...{ type: 'message', id: 'msg_1', role: 'assistant', status: 'incomplete' },
      ...{ phase: 'final_answer', content },
    };
    const turn = await client.turns.start({ ...talk, input: 'What is it?' });
    await answer(world.store, turn, [said]);
    const itemsIn = async (id: string) =>
      (await client.conversations.items(id)).data.map(({ item }) => item);
    const given = await itemsIn(talk.conversationId);
    const { id } = await client.conversations.create();
    await client.conversations.addItems(id, { items: given as never });
    const kept = {
      ...{ type: 'message', role: 'assistant', status: 'completed', phase: 'final_answer' },
      content: [{ type: 'output_text', text: 'A beaver.', annotations: [link] }, content[1]],
    };
    expect(await itemsIn(id)).toEqual([given[0], kept]);
    const { id: copy } = await client.conversations.create();
    await client.conversations.addItems(copy, { items: (await itemsIn(id)) as never });
    expect(await itemsIn(copy)).toEqual(await itemsIn(id));
  });

  it.each([
    ['no list', 'Hello', 'invalid_request', /items must be an array/],
    ['no items', [], 'input_empty', /items has no content/],
    ['an empty answer', [{ role: 'assistant', content: '' }], 'input_empty', /items\[0\]/],
    ['an unknown role', [{ role: 'tool', content: 'x' }], 'invalid_request', /items\[0\]\.role/],
    [
      'what an assistant cannot say',
      [{ role: 'assistant', content: [{ type: 'input_text', text: 'x' }] }],
      'invalid_request',
      /items\[0\]\.content\[0\]\.type/,
    ],
    ['null', [null], 'invalid_request', /items\[0\]/],
    [
      'a link to nowhere',
      [{ role: 'assistant', content: [{ type: 'output_text', text: 'x', annotations: [LINK] }] }],
      'invalid_request',
      /items\[0\]\.content\[0\]\.annotations\[0\]\.url is missing/,
    ],
    [
      'what is no message',
      [{ type: 'function_call', call_id: 'a', name: 'book', arguments: '{}' }],
      'invalid_request',
      /items\[0\]\.type must be message: only messages are taken/,
    ],
  ] as const)('refuses %s', async (_what, items, code, message) => {
    await expectRefused(add(items), code, message);
    expect((await client.conversations.items(talk.conversationId)).data).toEqual([]);
  });

  it('is refused while a turn runs, healing a dead one', async () => {
    const turn = await client.turns.start({ ...talk, input: '1' });
    const items = [{ role: 'user', content: 'x' }];
    await expectRefused(add(items), 'conversation_busy', /is held by turn/);
    starter.states.set(turn.id, 'not_found');
    expect(await add(items, { idempotencyKey: 'k' })).toEqual({ queued: false });
    expect(await add(items, { idempotencyKey: 'k', whenBusy: 'reject' })).toEqual({
      queued: false,
    });
    await expectRefused(
      add(items, { idempotencyKey: 'k', whenBusy: 'enqueue' }),
      'idempotency_conflict',
      /another request/,
    );
  });
});
