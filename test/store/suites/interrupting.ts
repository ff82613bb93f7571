import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  appendOne,
  attemptOf,
  beginRespond,
  itemsOf,
  newTurn,
  readEvents,
  stream,
  type Place,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly } from '../inspect.ts';
import {
  holderOf,
  interrupting,
  messageOf,
  passDeadline,
  said,
  statusOf,
  waiting,
} from '../queues.ts';

const NOTE = [
  expect.objectContaining({ text: expect.stringMatching(/was interrupted/) as string }),
];

export function interruptions(database: TestDatabase): void {
  const get = ({ tenant, turnId }: TurnAt) => database.store.turns.get(tenant, turnId);
  const cancel = ({ tenant, turnId }: TurnAt) =>
    database.store.turns.seal(tenant, turnId, { status: 'cancelled' });
  const started = async () => {
    const turn = await newTurn(database.store, undefined, { items: [messageOf('old')] });
    await database.store.turns.markStarted(turn.tenant, turn.turnId);
    return turn;
  };

  test('waits for the end of the turn that it interrupts, and comes behind what that one has said', async () => {
    const { store } = database;
    const old = await started();
    await beginRespond(store, attemptOf(old));
    await appendOne(store, attemptOf(old), 0, 'The capital of');
    const next = await interrupting(store, old, 'new');
    expect(await get(next)).toMatchObject({ state: 'queued', interrupts: old.turnId });
    expect(await statusOf(database, old)).toEqual(['in_progress', null]);

    expect(await cancel(old)).toMatchObject({
      reason: 'interrupted',
      next: { turnId: next.turnId },
    });
    expect(await get(next)).toMatchObject({ state: 'accepted', interrupts: old.turnId });
    const items = await itemsOf(store, old);
    expect(items.map(({ role, status, content }) => [role, status, content])).toEqual([
      ['user', undefined, 'old'],
      ['assistant', 'incomplete', [expect.objectContaining({ text: 'The capital of' })]],
      ['developer', undefined, NOTE],
      ['user', undefined, 'new'],
    ]);
    expect((await readEvents(store, next))[0]?.event).toMatchObject({
      type: 'turn.started',
      interrupts: old.turnId,
    });
    await expectSealedSoundly(database, old);
  });

  test('has interrupted nothing when that one came to its own end first', async () => {
    const { store } = database;
    const old = await started();
    const next = await interrupting(store, old, 'new');
    await store.turns.seal(old.tenant, old.turnId, { status: 'completed' });
    expect(await statusOf(database, old)).toEqual(['completed', null]);
    expect(await get(next)).toMatchObject({ state: 'accepted', interrupts: null });
    expect(await said(database, old)).toEqual(['old', 'new']);
    expect((await readEvents(store, next))[0]?.event).not.toHaveProperty('interrupts');
  });

  test('drops turns that wait, an earlier interruption too, and keeps items that were added', async () => {
    const { store } = database;
    const old = await started();
    const dropped = [await waiting(store, old, 'a')];
    await store.conversations.addItems(old.tenant, old.conversationId, {
      items: [messageOf('added')],
      maxQueued: 20,
    });
    dropped.push(await interrupting(store, old, 'b'), await waiting(store, old, 'c'));
    const last = await interrupting(store, old, 'd');
    for (const turn of dropped) {
      expect(await statusOf(database, turn)).toEqual(['cancelled', 'superseded']);
      expect(await stream(store, turn)).toEqual(['turn.done']);
      await expectSealedSoundly(database, turn);
    }
    const behind = await waiting(store, old, 'e');
    expect(await cancel(old)).toMatchObject({ next: { turnId: last.turnId } });
    expect(await said(database, old)).toEqual(['old', 'added', NOTE, 'd']);
    expect(await cancel(last)).toMatchObject({ reason: null, next: { turnId: behind.turnId } });
  });

  test('is never refused because too many wait', async () => {
    const { store } = database;
    const old = await started();
    const whenBusy = { policy: 'enqueue', maxQueued: 1 } as const;
    await store.conversations.addItems(old.tenant, old.conversationId, {
      items: [messageOf('added')],
      maxQueued: 1,
    });
    const refused = await store.turns.accept(old.tenant, { ...requestAt(old), whenBusy });
    expect(refused).toMatchObject({ kind: 'busy', full: true });
    await interrupting(store, old, 'new');
  });

  test('is found as long as the turn that it interrupts has not ended', async () => {
    const { store } = database;
    const old = await started();
    const found = async (olderThanMs: number) =>
      (await store.sweep.cancellingTurns(olderThanMs, 1_000)).filter(
        ({ turnId }) => turnId === old.turnId,
      );
    expect(await found(-1)).toEqual([]);
    await interrupting(store, old, 'a');
    await database.sql(
      "UPDATE turnkeeper.turns SET cancelling_at = now() - interval '10 seconds' WHERE id = $1",
      [old.turnId],
    );
    await interrupting(store, old, 'b');
    expect(await found(60_000)).toEqual([]);
    const [turn, ...others] = await found(5_000);
    expect(others).toEqual([]);
    expect(turn).toMatchObject({ tenant: old.tenant, started: true });
    expect(turn?.cancellingForMs).toBeGreaterThanOrEqual(10_000);
    await cancel(old);
    expect(await found(-1)).toEqual([]);
  });

  test('that has waited for too long leaves the turn that it interrupts as it ended', async () => {
    const { store } = database;
    const old = await started();
    const late = await interrupting(store, old, 'late');
    await passDeadline(database, late);
    expect(await cancel(old)).toMatchObject({ reason: 'interrupted', next: null });
    expect(await statusOf(database, late)).toEqual(['expired', 'queue_timeout']);
    expect(await holderOf(database, old)).toBeNull();
    expect(await said(database, old)).toEqual(['old']);
  });
}

function requestAt({ conversationId, assistantId }: Place) {
  return { conversationId, assistantId, items: [messageOf('x')] };
}
