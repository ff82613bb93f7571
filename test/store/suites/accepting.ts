import { describe, expect, test } from 'vitest';
import type { Item } from '../../../src/contracts/json.ts';
import type { AcceptTurn } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  CLERK,
  QUESTION,
  failure,
  itemsOf,
  keyOf,
  newPlace,
  newTurn,
  readEvents,
  type Place,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

function requestAt(place: Place, more: Partial<AcceptTurn> = {}): AcceptTurn {
  const { conversationId, assistantId } = place;
  return { conversationId, assistantId, items: [QUESTION], ...more };
}

export function accepting(database: TestDatabase): void {
  const accept = (place: Place, more: Partial<AcceptTurn> = {}) =>
    database.store.turns.accept(place.tenant, requestAt(place, more));

  test('writes the turn, its items and its first event, and takes the lock', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const items: Item[] = [QUESTION, { type: 'message', role: 'user', content: 'And when?' }];
    const accepted = await accept(place, { items });
    if (accepted.kind === 'busy') return expect.unreachable();
    const { turn, input } = accepted;
    expect(accepted.kind).toBe('accepted');
    expect(turn).toMatchObject({
      conversationId: place.conversationId,
      assistantId: place.assistantId,
      assistantVersion: 1,
      state: 'accepted',
      status: 'in_progress',
      reason: null,
      startedAt: null,
      sealedAt: null,
    });
    expect(await store.turns.get(place.tenant, turn.id)).toEqual(turn);
    expect(turn.deadline.getTime()).toBe(input.deadlineMs);
    expect(await itemsOf(store, place)).toEqual(items);
    expect(await readEvents(store, { ...place, turnId: turn.id })).toMatchObject([
      { number: 1, step: null, event: { type: 'turn.started', turn_id: turn.id } },
    ]);
    const { activeTurn } = await store.conversations.get(place.tenant, place.conversationId);
    expect(activeTurn).toBe(turn.id);
  });

  test('gives the workflow what the assistant says, and defaults where it says nothing', async () => {
    const { store } = database;
    const plain = await newPlace(store);
    const asSaid = await newPlace(store, plain.tenant);
    const { id } = await store.assistants.create(plain.tenant, {
      ...CLERK,
      fallbackModel: 'other',
      fallbackAnswer: 'Later, please.',
      knowledge: { bases: ['manual'] },
      limits: { maxRounds: 3, turnTimeoutMs: 5_000 },
    });
    const before = Date.now();
    const first = await accept(plain);
    const second = await accept({ ...asSaid, assistantId: id });
    if (first.kind === 'busy' || second.kind === 'busy') return expect.unreachable();
    expect(first.input).toMatchObject({
      assistant: { id: plain.assistantId, version: 1, name: 'Clerk' },
      retrieve: false,
      models: ['small'],
      fallbackAnswer: false,
      maxRounds: 12,
    });
    expect(first.input.deadlineMs - before).toBeGreaterThan(590_000);
    expect(second.input).toMatchObject({
      retrieve: true,
      models: ['small', 'other'],
      fallbackAnswer: true,
      maxRounds: 3,
    });
    expect(second.input.deadlineMs - before).toBeLessThan(60_000);
  });

  test('runs the newest version unless another is named', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const other = await newPlace(store, place.tenant);
    await store.assistants.update(place.tenant, place.assistantId, { ...CLERK, model: 'large' });
    expect(await accept(place)).toMatchObject({ input: { models: ['large'] } });
    const pinned = await accept(
      { ...other, assistantId: place.assistantId },
      { assistantVersion: 1 },
    );
    expect(pinned).toMatchObject({ turn: { assistantVersion: 1 }, input: { models: ['small'] } });
  });

  test('items go in as they were sent and come out as they were sent', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const text =
      '{"type":"message","z":1,"a":"\\u0000 \\"\\\\ {},\\n","half":"\\ude00","big":1e+300,"n":[null,-1.5e-7],"__proto__":{"x":1}}';
    await accept(place, { items: [JSON.parse(text) as Item] });
    const [item] = await itemsOf(store, place);
    expect(JSON.stringify(item)).toBe(text);
  });

  test('a turn behind others goes on with the positions', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place);
    await store.turns.seal(place.tenant, first.turnId, { status: 'completed' });
    const second = await newTurn(store, place);
    const { data } = await store.conversations.items(place.tenant, place.conversationId, {}, {});
    expect(data.map(({ turnId }) => turnId)).toEqual([first.turnId, second.turnId]);
  });

  test.each<[string, Partial<AcceptTurn>]>([
    ['conversation_not_found', { conversationId: UNKNOWN }],
    ['assistant_not_found', { assistantId: UNKNOWN }],
    ['assistant_not_found', { assistantVersion: 2 }],
  ])('%s writes nothing, the key included', async (code, wrong) => {
    const place = await newPlace(database.store);
    const before = await rowsOf(database, place.tenant);
    const key = keyOf('k', 'wrong');
    await expect(accept(place, { ...wrong, key })).rejects.toEqual(failure(code));
    expect(await rowsOf(database, place.tenant)).toEqual(before);
    expect(await accept(place, { key: keyOf('k', 'right') })).toMatchObject({ kind: 'accepted' });
  });

  test('a row that the database refuses writes nothing, the key included', async () => {
    const place = await newPlace(database.store);
    const before = await rowsOf(database, place.tenant);
    const items = [QUESTION, { type: 'a\u0000b' }];
    await expect(accept(place, { items, key: keyOf('k') })).rejects.toThrow('0x00');
    expect(await rowsOf(database, place.tenant)).toEqual(before);
  });

  test('a conversation that another turn holds is busy, and the key stays unused', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const holder = await newTurn(store, place);
    const before = await rowsOf(database, place.tenant);
    const key = keyOf('k');
    expect(await accept(place, { key })).toMatchObject({
      kind: 'busy',
      active: { id: holder.turnId, state: 'accepted' },
      activeInput: { turnId: holder.turnId },
    });
    expect(await rowsOf(database, place.tenant)).toEqual(before);
    await store.turns.seal(place.tenant, holder.turnId, { status: 'completed' });
    expect(await accept(place, { key })).toMatchObject({ kind: 'accepted' });
  });

  test('without a key a repeated request meets its own turn as busy', async () => {
    const place = await newPlace(database.store);
    await accept(place);
    expect(await accept(place)).toMatchObject({ kind: 'busy' });
  });

  describe('a repeated key', () => {
    const key = keyOf('k');

    test.each(['queued', 'accepted', 'started', 'sealed'])(
      'gives the turn while it is %s',
      async (state) => {
        const { store } = database;
        const place = await newPlace(store);
        const first = await accept(place, { key });
        if (first.kind !== 'accepted') return expect.unreachable();
        const { id } = first.turn;
        if (state === 'queued') {
          await database.sql("UPDATE turnkeeper.turns SET state = 'queued' WHERE id = $1", [id]);
        }
        if (state === 'started') await store.turns.markStarted(place.tenant, id);
        if (state === 'sealed') await store.turns.seal(place.tenant, id, { status: 'cancelled' });
        const before = await rowsOf(database, place.tenant);
        expect(await accept(place, { key })).toEqual({
          kind: 'repeated',
          turn: await store.turns.get(place.tenant, id),
          input: first.input,
        });
        expect(await rowsOf(database, place.tenant)).toEqual(before);
      },
    );

    test('gives its own turn while another one holds the conversation', async () => {
      const { store } = database;
      const place = await newPlace(store);
      const first = await accept(place, { key });
      if (first.kind !== 'accepted') return expect.unreachable();
      await store.turns.seal(place.tenant, first.turn.id, { status: 'completed' });
      await newTurn(store, place);
      expect(await accept(place, { key })).toMatchObject({
        kind: 'repeated',
        turn: { id: first.turn.id },
      });
    });

    test('with another request is a conflict in every state, and writes nothing', async () => {
      const { store } = database;
      const place = await newPlace(store);
      const first = await accept(place, { key });
      if (first.kind !== 'accepted') return expect.unreachable();
      for (const sealed of [false, true]) {
        if (sealed) await store.turns.seal(place.tenant, first.turn.id, { status: 'completed' });
        const before = await rowsOf(database, place.tenant);
        await expect(accept(place, { key: keyOf('k', 'two') })).rejects.toEqual(
          failure('idempotency_conflict'),
        );
        expect(await rowsOf(database, place.tenant)).toEqual(before);
      }
    });

    test('in another conversation is another key', async () => {
      const place = await newPlace(database.store);
      const other = await newPlace(database.store, place.tenant);
      const first = await accept(place, { key });
      const second = await accept(other, { key: keyOf('k', 'two') });
      expect([first.kind, second.kind]).toEqual(['accepted', 'accepted']);
    });
  });

  test('turns of a conversation are listed in order, with cursors', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { turnId } = await newTurn(store, place);
      await store.turns.seal(place.tenant, turnId, { status: 'completed' });
      ids.push(turnId);
    }
    const list = (request: { limit?: number; cursor?: string; order?: 'desc' }) =>
      store.turns.list(place.tenant, place.conversationId, request);
    const first = await list({ limit: 2, order: 'desc' });
    const cursor = first.nextCursor ?? expect.unreachable();
    const second = await list({ limit: 2, order: 'desc', cursor });
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids.toReversed());
  });
}
