import { expect, test } from 'vitest';
import type { Ending } from '../../../src/contracts/turn.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  answer,
  appendOne,
  attemptOf,
  beginRespond,
  failure,
  newPlace,
  newTurn,
  readEvents,
  response,
  usageOf,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly, rowsOf } from '../inspect.ts';
import { passDeadline, waiting } from '../queues.ts';

const ENDINGS: [Ending, string | null, string | null][] = [
  [{ status: 'completed' }, null, null],
  [{ status: 'cancelled' }, null, null],
  [{ status: 'expired' }, null, null],
  [{ status: 'incomplete', reason: 'max_rounds' }, 'max_rounds', null],
  [{ status: 'failed', reason: 'workflow_lost', message: 'Gone.' }, 'workflow_lost', 'Gone.'],
];

export function endings(database: TestDatabase): void {
  const seal = ({ tenant, turnId }: TurnAt, ending: Ending) =>
    database.store.turns.seal(tenant, turnId, ending);

  test.each(ENDINGS)(
    'as %j writes status, reason and last event, and frees the conversation',
    async (ending, reason, message) => {
      const { store } = database;
      const turn = await newTurn(store);
      if (ending.status === 'expired') await passDeadline(database, turn);
      const { status } = ending;
      expect(await seal(turn, ending)).toMatchObject({ status, reason, won: true, next: null });
      expect(await store.turns.get(turn.tenant, turn.turnId)).toMatchObject({
        state: 'sealed',
        status,
        reason,
        message,
        sealedAt: expect.any(Date) as Date,
      });
      const usage = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
      expect((await readEvents(store, turn)).at(-1)).toMatchObject({
        step: null,
        event: { type: 'turn.done', status, reason, usage },
      });
      await expectSealedSoundly(database, turn);
      await newTurn(store, turn);
    },
  );

  test.each(ENDINGS)(
    'that ended as %j again, in any way, changes nothing',
    async (first, reason) => {
      const turn = await newTurn(database.store);
      await passDeadline(database, turn);
      await seal(turn, first);
      const before = await rowsOf(database, turn.tenant);
      for (const [again] of ENDINGS) {
        const told = { status: first.status, reason, won: false, next: null };
        expect(await seal(turn, again)).toMatchObject(told);
      }
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
    },
  );

  test('leaves the lock to a later turn when it is repeated', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await seal(turn, { status: 'completed' });
    const later = await newTurn(store, turn);
    await seal(turn, { status: 'failed', reason: 'late', message: '' });
    const { activeTurn } = await store.conversations.get(turn.tenant, turn.conversationId);
    expect(activeTurn).toBe(later.turnId);
  });

  test('as expired is refused before its deadline, and changes nothing', async () => {
    const turn = await newTurn(database.store);
    const before = await rowsOf(database, turn.tenant);
    expect(await seal(turn, { status: 'expired' })).toBeNull();
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('as expired is granted before its deadline to its workflow alone, while it waits for its caller', async () => {
    const turn = await newTurn(database.store);
    await database.sql("UPDATE turnkeeper.turns SET status = 'requires_action' WHERE id = $1", [
      turn.turnId,
    ]);
    expect(await seal(turn, { status: 'expired' })).toBeNull();
    const ending = { status: 'expired', whileWaiting: true } as const;
    expect(await seal(turn, ending)).toMatchObject({ status: 'expired', won: true });
  });

  test('that is unknown is refused', async () => {
    const place = await newPlace(database.store);
    const turn = { ...place, turnId: '00000000-0000-4000-8000-000000000000' };
    await expect(seal(turn, { status: 'cancelled' })).rejects.toEqual(failure('turn_not_found'));
  });

  test('tells what it cost, estimates included', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const [first, second] = [attemptOf(turn), attemptOf(turn, 'respond:2')];
    await beginRespond(store, first);
    const call = await store.steps.recordIntent(first, { model: 'small', inputTokens: 50 });
    await store.steps.settleResponse(
      first,
      response([answer('yes')], { usage: usageOf(call.callId, 40, 4) }),
    );
    await beginRespond(store, second);
    await store.steps.recordIntent(second, { model: 'small', inputTokens: 60 });
    await appendOne(store, second, 0, 'x'.repeat(8));
    await seal(turn, { status: 'cancelled' });
    expect((await store.turns.usage(turn.tenant, turn.turnId)).calls).toMatchObject([
      { state: 'completed', estimated: false },
      { state: 'abandoned', estimated: true, inputTokens: 60, outputTokens: 2 },
    ]);
    const last = (await readEvents(store, turn)).at(-1);
    const usage = { input_tokens: 100, output_tokens: 6, total_tokens: 106 };
    expect(last?.event).toMatchObject({ usage });
    await expectSealedSoundly(database, turn);
  });
}

export function handingOver(database: TestDatabase): void {
  const queueBehind = async (turn: TurnAt) => (await waiting(database.store, turn, 'next')).turnId;

  test('gives it the lock, and tells whoever asks again', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant } = turn;
    const [next, last] = [await queueBehind(turn), await queueBehind(turn)];
    const before = Date.now();
    const sealed = await store.turns.seal(tenant, turn.turnId, { status: 'completed' });
    expect(sealed).toMatchObject({ won: true, next: { turnId: next, tenant } });
    const accepted = await store.turns.get(tenant, next);
    expect(accepted).toMatchObject({ state: 'accepted', status: 'in_progress' });
    expect(accepted.acceptedAt.getTime()).toBeGreaterThan(before - 60_000);
    expect(await store.turns.get(tenant, last)).toMatchObject({ state: 'queued' });
    const { activeTurn } = await store.conversations.get(tenant, turn.conversationId);
    expect(activeTurn).toBe(next);
    await store.turns.markStarted(tenant, next);
    const again = await store.turns.seal(tenant, turn.turnId, { status: 'completed' });
    expect(again).toEqual({ ...sealed, won: false });
    expect(await store.turns.get(tenant, last)).toMatchObject({ state: 'queued' });
  });

  test('leaves it waiting when the turn that ends does not hold the lock itself', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant } = turn;
    const [first, second] = [await queueBehind(turn), await queueBehind(turn)];
    const sealed = await store.turns.seal(tenant, first, { status: 'cancelled' });
    expect(sealed).toMatchObject({ status: 'cancelled', won: true, next: null });
    expect(await store.turns.get(tenant, second)).toMatchObject({ state: 'queued' });
    const { activeTurn } = await store.conversations.get(tenant, turn.conversationId);
    expect(activeTurn).toBe(turn.turnId);
  });
}
