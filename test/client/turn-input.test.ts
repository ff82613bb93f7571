import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { ErrorCode, TurnkeeperError } from '../../src/contracts/errors.ts';
import type { Json } from '../../src/contracts/json.ts';
import { expectRefused, newTalk, startWorld, type World } from './world.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

let world: World;
let client: Turnkeeper;

beforeAll(async () => {
  world = await startWorld();
  ({ client } = world.client());
});
afterAll(() => world.stop());

const part = (text: string) => ({ type: 'input_text', text });
const user = (content: unknown) => [{ role: 'user', content }] as never;

describe('a turn that cannot be started', () => {
  it.each<[string, unknown, ErrorCode, RegExp]>([
    ['an empty string', '', 'input_empty', /^input has no content/],
    ['blanks', ' \n', 'input_empty', /^input has no content/],
    ['no items', [], 'input_empty', /^input has no content/],
    ['a message without parts', user([]), 'input_empty', /^input\[0\] has no content/],
    ['a message of blanks', user([part(' ')]), 'input_empty', /^input\[0\] has no content/],
    ['a number', 5, 'invalid_request', /^input must be a string or an array/],
    ['half a surrogate pair', 'a\udc00', 'invalid_request', /^input has half/],
    ['null for an item', [null], 'invalid_request', /^input\[0\] must be an object/],
    [
      'a message of the assistant',
      [{ role: 'assistant', content: 'x' }],
      'invalid_request',
      /role/,
    ],
    ...['function_call', 'function_call_output', 'reasoning', 'item_reference'].map(
      (type): [string, unknown, ErrorCode, RegExp] => [
        `another item: ${type}`,
        [{ type, id: 'x', call_id: 'x', role: 'user' }],
        'invalid_request',
        /^input\[0\]\.type must be message: only messages are taken/,
      ],
    ),
    [
      'a field that is not known',
      [{ role: 'user', content: 'x', name: 'Ann' }],
      'invalid_request',
      /\.name is/,
    ],
    ['content of another kind', user(7), 'invalid_request', /^input\[0\]\.content must be/],
    ['null for a part', user([null]), 'invalid_request', /^input\[0\]\.content\[0\]\.type must be/],
    [
      'a part of another kind',
      user([{ type: 'input_audio' }]),
      'invalid_request',
      /\.type must be one of/,
    ],
    [
      'an image that is nowhere',
      user([{ type: 'input_image' }]),
      'invalid_request',
      /exactly one of/,
    ],
    [
      'an image in two places',
      user([{ type: 'input_image', image_url: 'a', file_id: 'b' }]),
      'invalid_request',
      /exactly one of image_url, file_id/,
    ],
  ])('refuses %s', async (_, input, code, message) => {
    const talk = await newTalk(client);
    await expectRefused(client.turns.start({ ...talk, input: input as never }), code, message);
    expect(await client.conversations.get(talk.conversationId)).toMatchObject({ activeTurn: null });
  });

  it('refuses input over a limit, naming it', async () => {
    const { client: small } = world.client({ limits: { maxInputBytes: 100, maxItemsPerTurn: 1 } });
    const talk = await newTalk(small);
    await expect(small.turns.start({ ...talk, input: 'ü'.repeat(20) })).rejects.toMatchObject({
      code: 'input_too_large',
      details: { limit: 'maxInputBytes', max: 100, actual: 118 },
    });
    const two = [{ role: 'user', content: 'a' } as const, { role: 'user', content: 'b' } as const];
    await expect(small.turns.start({ ...talk, input: two })).rejects.toMatchObject({
      code: 'input_too_large',
      details: { limit: 'maxItemsPerTurn', max: 1, actual: 2 },
    });
  });

  it('shortens the name of a field that nests', async () => {
    const talk = await newTalk(client);
    let deep: unknown = null;
    for (let depth = 0; depth < 150; depth += 1) deep = [deep];
    const turn = await client.turns.start({ ...talk, input: 'x' });
    const submitting = client.turns.submit(turn.id, {
      outputs: [{ callId: 'a', output: deep as Json }],
    });
    const field = expect.stringMatching(/^outputs\[0\]\.output[[\]0]+…[[\]0]+$/) as string;
    const error = await submitting.catch((thrown: unknown) => thrown as TurnkeeperError);
    expect(error).toMatchObject({ code: 'invalid_request', details: { field } });
    expect((error as TurnkeeperError).message.length).toBeLessThan(400);
  });

  it('refuses ids that are not known', async () => {
    const talk = await newTalk(client);
    const start = (changes: object) => client.turns.start({ ...talk, input: 'x', ...changes });
    await expectRefused(start({ conversationId: UNKNOWN }), 'conversation_not_found', /no conv/);
    await expectRefused(start({ conversationId: 'x' }), 'conversation_not_found', /"x"/);
    await expectRefused(start({ assistantId: UNKNOWN }), 'assistant_not_found', /no assistant/);
    await expectRefused(
      start({ assistantId: 5 }),
      'assistant_not_found',
      /There is no assistant 5/,
    );
    await expectRefused(start({ assistantVersion: 9 }), 'assistant_not_found', /version 9/);
    expect(await client.conversations.get(talk.conversationId)).toMatchObject({ activeTurn: null });
  });

  it("refuses another tenant's conversation", async () => {
    const talk = await newTalk(client);
    const { client: other } = world.client({ tenant: 'other' });
    const { assistantId } = await newTalk(other);
    const work = other.turns.start({ ...talk, assistantId, input: 'x' });
    await expectRefused(work, 'conversation_not_found', /no conversation/);
  });
});
