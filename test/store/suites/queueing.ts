import { describe, expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  failure,
  keyOf,
  newPlace,
  newTurn,
  readEvents,
  stream,
  type Place,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly, rowsOf } from '../inspect.ts';
import { ENQUEUE, holderOf, messageOf, passDeadline, said, statusOf, waiting } from '../queues.ts';

export function queueing(database: TestDatabase): void {
  const end = ({ tenant, turnId }: TurnAt) =>
    database.store.turns.seal(tenant, turnId, { status: 'completed' });

  test('keeps its items aside, and its stream empty, until it is its turn', async () => {
    const { store } = database;
    const first = await newTurn(store, undefined, { items: [messageOf('first')] });
    const second = await waiting(store, first, 'second');
    expect(await store.turns.get(second.tenant, second.turnId)).toMatchObject({
      state: 'queued',
      status: 'queued',
      interrupts: null,
    });
    expect(await said(database, first)).toEqual(['first']);
    expect(await readEvents(store, second)).toEqual([]);

    const sealed = await end(first);
    expect(sealed).toMatchObject({ next: { turnId: second.turnId } });
    expect(await holderOf(database, first)).toBe(second.turnId);
    expect(await said(database, first)).toEqual(['first', 'second']);
    expect((await readEvents(store, second)).map(({ number, event }) => [number, event])).toEqual([
      [
        1,
        {
          type: 'turn.started',
          turn_id: second.turnId,
          conversation_id: first.conversationId,
          assistant_id: first.assistantId,
          assistant_version: 1,
        },
      ],
    ]);
    await end(second);
    await expectSealedSoundly(database, second);
    expect(await holderOf(database, first)).toBeNull();
  });

  test('has all of its time before it, from when it gets the conversation', async () => {
    const { store } = database;
    const first = await newTurn(store);
    const second = await waiting(store, first, 'second');
    await database.sql(
      "UPDATE turnkeeper.turns SET deadline = now() + interval '2 seconds' WHERE id = $1",
      [second.turnId],
    );
    const before = Date.now();
    const sealed = await end(first);
    const { deadline } = await store.turns.get(second.tenant, second.turnId);
    expect(deadline.getTime()).toBeGreaterThan(before + 590_000);
    expect(sealed?.next?.deadlineMs).toBe(deadline.getTime());
  });

  test('comes in the order in which it was accepted', async () => {
    const { store } = database;
    const turns = [await newTurn(store, undefined, { items: [messageOf('0')] })];
    const [first] = turns as [TurnAt];
    for (const name of ['1', '2', '3']) turns.push(await waiting(store, first, name));
    for (const turn of turns) {
      expect(await holderOf(database, first)).toBe(turn.turnId);
      await end(turn);
    }
    expect(await said(database, first)).toEqual(['0', '1', '2', '3']);
    const listed = await store.turns.list(first.tenant, first.conversationId, {});
    expect(listed.data.map(({ id }) => id)).toEqual(turns.map(({ turnId }) => turnId));
  });

  test('does not wait where the conversation is free', async () => {
    const turn = await waiting(database.store, await newPlace(database.store), 'alone');
    expect(await statusOf(database, turn)).toEqual(['in_progress', null]);
    expect(await stream(database.store, turn)).toEqual(['turn.started']);
  });

  test('is refused where too many wait, and nothing is written', async () => {
    const { store } = database;
    const first = await newTurn(store);
    const { tenant, conversationId, assistantId } = first;
    const request = { conversationId, assistantId, items: [messageOf('x')], key: keyOf('k') };
    const whenBusy = { policy: 'enqueue', maxQueued: 2 } as const;
    await waiting(store, first, '1', { whenBusy });
    const last = await waiting(store, first, '2', { whenBusy });
    const before = await rowsOf(database, tenant);
    const refused = await store.turns.accept(tenant, { ...request, whenBusy });
    expect(refused).toMatchObject({ kind: 'busy', full: true, active: { id: first.turnId } });
    expect(await rowsOf(database, tenant)).toEqual(before);

    await store.turns.seal(tenant, last.turnId, { status: 'cancelled' });
    expect(await store.turns.accept(tenant, { ...request, whenBusy })).toMatchObject({
      kind: 'accepted',
      turn: { state: 'queued' },
    });
  });

  test('is one turn under one key, also while it waits', async () => {
    const { store } = database;
    const first = await newTurn(store);
    const second = await waiting(store, first, 'second', { key: keyOf('k') });
    const { tenant, conversationId, assistantId } = first;
    const again = await store.turns.accept(tenant, {
      ...{ conversationId, assistantId, items: [messageOf('second')], whenBusy: ENQUEUE },
      key: keyOf('k'),
    });
    expect(again).toMatchObject({ kind: 'repeated', turn: { id: second.turnId, state: 'queued' } });
    await end(first);
    expect(await said(database, first)).toEqual(['Where is my parcel?', 'second']);
  });

  test('that a worker of an earlier release has begun without its input leaves the queue with its end', async () => {
    const { store } = database;
    const holder = await newTurn(store);
    const begun = await waiting(store, holder, 'lost');
    const next = await waiting(store, holder, 'next');
    await store.turns.seal(holder.tenant, holder.turnId, { status: 'completed' });
    await database.sql(
      `INSERT INTO turnkeeper.queue (conversation_id, id, turn_id, timeout_ms, types, items)
       SELECT conversation_id, id, id, 1000, '{}', '{}' FROM turnkeeper.turns WHERE id = $1`,
      [begun.turnId],
    );
    await store.turns.seal(begun.tenant, begun.turnId, { status: 'completed' });
    expect(await statusOf(database, begun)).toEqual(['completed', null]);
    expect(await holderOf(database, holder)).toBe(next.turnId);
  });

  test('that is cancelled leaves the queue, and its items are never said', async () => {
    const { store } = database;
    const first = await newTurn(store, undefined, { items: [messageOf('first')] });
    const second = await waiting(store, first, 'second');
    const third = await waiting(store, first, 'third');
    const sealed = await store.turns.seal(first.tenant, second.turnId, { status: 'cancelled' });
    expect(sealed).toMatchObject({ status: 'cancelled', reason: null, won: true, next: null });
    expect(await stream(store, second)).toEqual(['turn.done']);
    await expectSealedSoundly(database, second);
    expect(await end(first)).toMatchObject({ next: { turnId: third.turnId } });
    expect(await said(database, first)).toEqual(['first', 'third']);
  });

  describe('that has waited for too long', () => {
    test('is passed over', async () => {
      const { store } = database;
      const first = await newTurn(store, undefined, { items: [messageOf('first')] });
      const late = [await waiting(store, first, 'a'), await waiting(store, first, 'b')];
      for (const turn of late) await passDeadline(database, turn);
      const next = await waiting(store, first, 'c');
      expect(await end(first)).toMatchObject({ next: { turnId: next.turnId } });
      for (const turn of late) {
        expect(await statusOf(database, turn)).toEqual(['expired', 'queue_timeout']);
        await expectSealedSoundly(database, turn);
      }
      expect(await said(database, first)).toEqual(['first', 'c']);
    });

    test('is left to the sweep where there are very many, and the rest goes on', async () => {
      const { store } = database;
      const first = await newTurn(store);
      const whenBusy = { policy: 'enqueue', maxQueued: 50 } as const;
      const late: TurnAt[] = [];
      for (let n = 0; n < 22; n++) late.push(await waiting(store, first, `${n}`, { whenBusy }));
      for (const turn of late) await passDeadline(database, turn);
      const next = await waiting(store, first, 'next', { whenBusy });
      expect(await end(first)).toMatchObject({ next: { turnId: next.turnId } });
      const stand = await Promise.all(late.map((turn) => statusOf(database, turn)));
      expect(stand.filter(([status]) => status === 'expired')).toHaveLength(20);
      for (const { tenant, turnId } of late.slice(20))
        await store.turns.seal(tenant, turnId, { status: 'expired' });
      for (const turn of late) await expectSealedSoundly(database, turn);
      expect(await end(next)).toMatchObject({ next: null });
      expect(await holderOf(database, first)).toBeNull();
    });

    test('leaves the conversation free where it was the last', async () => {
      const { store } = database;
      const first = await newTurn(store);
      const late = await waiting(store, first, 'late');
      await passDeadline(database, late);
      expect(await end(first)).toMatchObject({ next: null });
      expect(await holderOf(database, first)).toBeNull();
      expect(await statusOf(database, late)).toEqual(['expired', 'queue_timeout']);
    });

    test('is ended by whoever finds it, and not before', async () => {
      const { store } = database;
      const first = await newTurn(store);
      const late = await waiting(store, first, 'late');
      const found = async () =>
        (await store.sweep.overdueQueued(1_000)).filter(({ turnId }) => turnId === late.turnId);
      const expire = () => store.turns.seal(late.tenant, late.turnId, { status: 'expired' });
      expect(await found()).toEqual([]);
      expect(await expire()).toBeNull();
      await passDeadline(database, late);
      expect(await found()).toEqual([{ tenant: late.tenant, turnId: late.turnId }]);
      expect(await expire()).toMatchObject({ status: 'expired', reason: 'queue_timeout' });
      expect(await found()).toEqual([]);
      expect(await holderOf(database, first)).toBe(first.turnId);
    });
  });

  test('tells the sweep which turn it waits for, once in a while', async () => {
    const { store } = database;
    const first = await newTurn(store);
    const awaited = async (everyMs: number) =>
      (await store.sweep.awaitedTurns({ olderThanMs: -1, everyMs }, 1_000)).filter(
        ({ turnId }) => turnId === first.turnId,
      );
    await store.turns.markStarted(first.tenant, first.turnId);
    expect(await awaited(-1)).toEqual([]);
    await waiting(store, first, 'second');
    expect(await awaited(60_000)).toEqual([{ tenant: first.tenant, turnId: first.turnId }]);
    expect(await awaited(60_000)).toEqual([]);
    expect(await awaited(-1)).toHaveLength(1);
  });
}

export function addingItems(database: TestDatabase): void {
  const add = (place: Place, name: string, maxQueued: number | null = null, key?: string) =>
    database.store.conversations.addItems(place.tenant, place.conversationId, {
      items: [messageOf(name), messageOf(`${name}!`)],
      maxQueued,
      ...(key !== undefined && { key: keyOf(key) }),
    });
  const end = ({ tenant, turnId }: TurnAt) =>
    database.store.turns.seal(tenant, turnId, { status: 'completed' });

  test('to a free conversation puts them at its end', async () => {
    const { store } = database;
    const place = await newPlace(store);
    expect(await add(place, 'a')).toEqual({ kind: 'added' });
    await end(await newTurn(store, place, { items: [messageOf('b')] }));
    expect(await add(place, 'c', 20)).toEqual({ kind: 'added' });
    expect(await said(database, place)).toEqual(['a', 'a!', 'b', 'c', 'c!']);
    const { data } = await store.conversations.items(place.tenant, place.conversationId, {}, {});
    expect(data.map(({ turnId }) => turnId === null)).toEqual([true, true, false, true, true]);
  });

  test('while a turn runs is refused, and nothing is written', async () => {
    const turn = await newTurn(database.store);
    const before = await rowsOf(database, turn.tenant);
    expect(await add(turn, 'a', null, 'k')).toMatchObject({
      kind: 'busy',
      full: false,
      active: { id: turn.turnId },
    });
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
    await waiting(database.store, turn, 'x');
    expect(await add(turn, 'a', 1)).toMatchObject({ kind: 'busy', full: true });
  });

  test('while a turn runs puts them between the turns where they were added', async () => {
    const { store } = database;
    const first = await newTurn(store, undefined, { items: [messageOf('1')] });
    expect(await add(first, 'a', 20)).toEqual({ kind: 'queued' });
    const second = await waiting(store, first, '2');
    expect(await add(first, 'b', 20)).toEqual({ kind: 'queued' });
    expect(await said(database, first)).toEqual(['1']);
    await end(first);
    expect(await said(database, first)).toEqual(['1', 'a', 'a!', '2']);
    expect(await end(second)).toMatchObject({ next: null });
    expect(await said(database, first)).toEqual(['1', 'a', 'a!', '2', 'b', 'b!']);
    expect(await holderOf(database, first)).toBeNull();
  });

  test('again with the same key adds nothing, and tells how they stand', async () => {
    const turn = await newTurn(database.store, undefined, { items: [messageOf('1')] });
    expect(await add(turn, 'a', 20, 'k')).toEqual({ kind: 'queued' });
    expect(await add(turn, 'a', 20, 'k')).toEqual({ kind: 'queued' });
    await end(turn);
    expect(await add(turn, 'a', 20, 'k')).toEqual({ kind: 'added' });
    expect(await said(database, turn)).toEqual(['1', 'a', 'a!']);
  });

  test('to an unknown conversation is refused', async () => {
    const place = await newPlace(database.store);
    const conversationId = '00000000-0000-4000-8000-000000000000';
    await expect(add({ ...place, conversationId }, 'a')).rejects.toEqual(
      failure('conversation_not_found'),
    );
  });
}
