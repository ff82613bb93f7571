import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { Store } from '../../src/contracts/store.ts';
import { StoreUnavailable } from '../../src/contracts/store.ts';
import {
  answer,
  assistantMessage,
  expectRefused,
  newTalk,
  startWorld,
  type World,
} from './world.ts';

let world: World;
let client: Turnkeeper;

beforeAll(async () => {
  world = await startWorld();
  ({ client } = world.client());
});
afterAll(() => world.stop());

describe('conversations', () => {
  it('keeps end user and metadata', async () => {
    const metadata = { b: [1, null, { ü: '\u0000' }], a: 'x' };
    const created = await client.conversations.create({ endUser: 'user-7', metadata });
    expect(created).toMatchObject({ endUser: 'user-7', metadata, activeTurn: null, summary: null });
    expect(await client.conversations.get(created.id)).toEqual(created);
  });

  it('needs nothing', async () => {
    expect(await client.conversations.create()).toMatchObject({ endUser: null, metadata: {} });
  });

  it('gives the same conversation for the same key and request, whatever the order of its fields', async () => {
    const idempotencyKey = 'conversation-1';
    const { id } = await client.conversations.create({ metadata: { a: 1, b: 2 }, idempotencyKey });
    const again = await client.conversations.create({ idempotencyKey, metadata: { b: 2, a: 1 } });
    expect(again.id).toBe(id);
    await expectRefused(
      client.conversations.create({ idempotencyKey }),
      'idempotency_conflict',
      /conversation-1/,
    );
  });

  it('lists those of an end user', async () => {
    const { client: other } = world.client({ tenant: 'lister' });
    await other.conversations.create({ endUser: 'a' });
    const { id } = await other.conversations.create({ endUser: 'b' });
    const { data } = await other.conversations.list({ endUser: 'b' });
    expect(data.map((conversation) => conversation.id)).toEqual([id]);
    expect((await other.conversations.list({ order: 'desc', limit: 1 })).data[0]?.id).toBe(id);
  });

  it('shows items in order, and those of one turn', async () => {
    const talk = await newTalk(client);
    const first = await client.turns.start({ ...talk, input: 'One?' });
    await answer(world.store, first, [assistantMessage('1')]);
    const second = await client.turns.start({ ...talk, input: 'Two?' });
    const all = await client.conversations.items(talk.conversationId);
    expect(all.data.map(({ turnId }) => turnId)).toEqual([first.id, first.id, second.id]);
    const own = await client.conversations.items(talk.conversationId, { turnId: second.id });
    expect(own.data.map(({ item }) => item)).toEqual([
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Two?' }] },
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['an empty end user', { endUser: '' }, /^endUser must not be empty/],
    ['a NUL in the end user', { endUser: 'a\0b' }, /^endUser must have printable/],
    ['metadata that is a list', { metadata: [] }, /^metadata must be an object/],
    ['metadata with a function', { metadata: { f: () => 1 } }, /^metadata\.f must be JSON/],
    ['metadata that is not a number', { metadata: { n: NaN } }, /^metadata\.n must be JSON/],
    ['a field that is not known', { user: 'x' }, /^user is not a known field/],
    ['an empty key', { idempotencyKey: '' }, /^idempotencyKey must not be empty/],
    ['a key that is too long', { idempotencyKey: 'k'.repeat(256) }, /^idempotencyKey .* 255/],
    ['a key with a line break', { idempotencyKey: 'a\r\n' }, /^idempotencyKey .* printable/],
  ])('refuses %s', async (_, request, message) => {
    const work = client.conversations.create(request);
    await expectRefused(work, 'invalid_request', message);
  });

  it('refuses metadata over the limit, naming it', async () => {
    const { client: small } = world.client({ limits: { maxMetadataBytes: 10 } });
    await expect(
      small.conversations.create({ metadata: { a: 'ü'.repeat(3) } }),
    ).rejects.toMatchObject({
      code: 'input_too_large',
      details: { limit: 'maxMetadataBytes', max: 10, actual: 14 },
    });
  });

  it("does not know what is not there, nor another tenant's", async () => {
    const { id } = await client.conversations.create();
    const { client: other } = world.client({ tenant: 'other' });
    await expectRefused(other.conversations.get(id), 'conversation_not_found', /no conversation/);
    await expectRefused(other.conversations.items(id), 'conversation_not_found', /no conversation/);
    await expectRefused(client.conversations.get('nope'), 'conversation_not_found', /"nope"/);
    const ofTurn = client.conversations.items(id, { turnId: 'nope' });
    await expectRefused(ofTurn, 'turn_not_found', /"nope"/);
  });

  it.each([0, 101, 1.5, '5'])('refuses a page of %j', async (limit) => {
    const page = { limit: limit as number };
    await expectRefused(client.conversations.list(page), 'invalid_request', /^limit must be/);
  });

  it('tells of a database that is away by a code', async () => {
    const away = () => Promise.reject(new StoreUnavailable(new Error('connect ECONNREFUSED')));
    const conversations = { ...world.store.conversations, get: away };
    const store: Store = { ...world.store, conversations };
    const { client: cut } = world.client({ store });
    const { id } = await client.conversations.create();
    await expectRefused(cut.conversations.get(id), 'database_unreachable', /ECONNREFUSED/);
  });
});
