import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  beginTool,
  newPlace,
  newTurn,
  toolResult,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';
import { holderOf, messageOf, passDeadline, said, statusOf, waiting } from '../queues.ts';

const AGE = { olderThanMs: 60_000, everyMs: 60_000 };

export function checking(database: TestDatabase): void {
  const sql = (text: string, params: unknown[]) => database.sql(text, params);
  const age = (column: string, { turnId }: TurnAt) =>
    sql(`UPDATE turnkeeper.turns SET ${column} = now() - interval '1 hour' WHERE id = $1`, [
      turnId,
    ]);
  const hold = ({ conversationId }: { conversationId: string }, turnId: string | null) =>
    sql('UPDATE turnkeeper.conversations SET active_turn = $2 WHERE id = $1', [
      conversationId,
      turnId,
    ]);

  test('hands out started turns of some age, each once in a while', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant, turnId } = turn;
    const found = async () =>
      (await store.checkup.startedTurns(AGE, 100)).filter((one) => one.tenant === tenant);
    await age('accepted_at', turn);
    expect(await found()).toEqual([]);
    await store.turns.markStarted(tenant, turnId);
    expect(await found()).toEqual([]);
    await age('started_at', turn);
    expect(await found()).toEqual([{ tenant, turnId }]);
    expect(await found()).toEqual([]);
    await age('holder_checked_at', turn);
    expect(await found()).toEqual([{ tenant, turnId }]);
    await age('holder_checked_at', turn);
    await store.turns.seal(tenant, turnId, { status: 'completed' });
    expect(await found()).toEqual([]);
  });

  test('tells how turns stand, and nothing of those it does not know', async () => {
    const { store } = database;
    const [open, ended] = [await newTurn(store), await newTurn(store)];
    await store.turns.seal(ended.tenant, ended.turnId, { status: 'completed' });
    await age('sealed_at', ended);
    const unknown = open.conversationId;
    const standings = await store.checkup.statesOf([open.turnId, ended.turnId, unknown]);
    expect(standings).toHaveLength(2);
    const of = (turn: TurnAt) => standings.find(({ turnId }) => turnId === turn.turnId);
    expect(of(open)).toMatchObject({ state: 'accepted', sealedForMs: null });
    expect(of(ended)).toMatchObject({ state: 'sealed', tenant: ended.tenant });
    expect(of(ended)?.sealedForMs).toBeGreaterThan(3_599_000);
  });

  const conversationsOf = async (
    tenant: string,
    find: 'waitingInVain' | 'heldByNobody',
  ): Promise<string[]> => {
    const found = await database.store.checkup[find](1_000);
    return found.filter((one) => one.tenant === tenant).map((one) => one.conversationId);
  };

  test('leaves a conversation alone that a turn has', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const holder = await newTurn(store, place);
    await waiting(store, place, 'second');
    expect(await conversationsOf(place.tenant, 'waitingInVain')).toEqual([]);
    expect(await conversationsOf(place.tenant, 'heldByNobody')).toEqual([]);
    const freed = await store.checkup.free(place.tenant, place.conversationId);
    expect(freed).toEqual({ freed: false, next: null });
    expect(await holderOf(database, place)).toBe(holder.turnId);
  });

  test.each(['a sealed turn', 'a missing turn', 'nobody', 'the next turn itself'])(
    'hands a conversation that %s holds to the turn that waits for it',
    async (whom) => {
      const { store } = database;
      const place = await newPlace(store);
      const first = await newTurn(store, place);
      const next = await waiting(store, place, 'second');
      await sql(`UPDATE turnkeeper.turns SET state = 'sealed', status = 'failed' WHERE id = $1`, [
        first.turnId,
      ]);
      if (whom === 'a missing turn') await hold(place, place.assistantId);
      if (whom === 'nobody') await hold(place, null);
      if (whom === 'the next turn itself') await hold(place, next.turnId);
      expect(await conversationsOf(place.tenant, 'waitingInVain')).toEqual([place.conversationId]);
      expect(await conversationsOf(place.tenant, 'heldByNobody')).toEqual([place.conversationId]);
      const { freed, next: input } = await store.checkup.free(place.tenant, place.conversationId);
      expect([freed, input?.turnId]).toEqual([true, next.turnId]);
      expect(await holderOf(database, place)).toBe(next.turnId);
      expect((await said(database, place)).at(-1)).toBe('second');
      expect(await store.checkup.free(place.tenant, place.conversationId)).toEqual({
        freed: false,
        next: null,
      });
      expect(await conversationsOf(place.tenant, 'heldByNobody')).toEqual([]);
    },
  );

  test('brings what waits without a turn into a conversation that nobody holds', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const { tenant, conversationId } = place;
    const first = await newTurn(store, place);
    const added = { items: [messageOf('added')], maxQueued: 20 };
    await store.conversations.addItems(tenant, conversationId, added);
    await sql(`UPDATE turnkeeper.turns SET state = 'sealed', status = 'failed' WHERE id = $1`, [
      first.turnId,
    ]);
    await hold(place, null);
    expect(await conversationsOf(tenant, 'waitingInVain')).toEqual([conversationId]);
    const freed = await store.checkup.free(tenant, conversationId);
    expect(freed).toEqual({ freed: true, next: null });
    expect((await said(database, place)).at(-1)).toBe('added');
    expect(await conversationsOf(tenant, 'heldByNobody')).toEqual([]);
  });

  test.each(['nobody', 'the turn behind it'])(
    'gives a conversation that %s holds back to the turn that is under way',
    async (whom) => {
      const { store } = database;
      const place = await newPlace(store);
      const first = await newTurn(store, place);
      const next = await waiting(store, place, 'second');
      await hold(place, whom === 'nobody' ? null : next.turnId);
      expect(await conversationsOf(place.tenant, 'heldByNobody')).toEqual([place.conversationId]);
      const freed = await store.checkup.free(place.tenant, place.conversationId);
      expect(freed).toEqual({ freed: true, next: null });
      expect(await holderOf(database, place)).toBe(first.turnId);
      expect(await statusOf(database, next)).toEqual(['queued', null]);
    },
  );

  test('releases a conversation that a sealed turn holds, and ends what has waited for too long', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place);
    const late = await waiting(store, place, 'late');
    await passDeadline(database, late);
    await sql(`UPDATE turnkeeper.turns SET state = 'sealed', status = 'failed' WHERE id = $1`, [
      first.turnId,
    ]);
    expect(await store.checkup.free(place.tenant, place.conversationId)).toEqual({
      freed: true,
      next: null,
    });
    expect(await holderOf(database, place)).toBeNull();
    expect(await statusOf(database, late)).toEqual(['expired', 'queue_timeout']);
  });

  test('closes what a sealed turn has left open, and nothing of one that goes on', async () => {
    const { store } = database;
    const [ended, open] = [await turnWithCalls(store, 'a'), await turnWithCalls(store, 'a')];
    for (const turn of [ended, open]) await beginTool(store, toolStep(turn, 'a'), 'a');
    await sql(`UPDATE turnkeeper.turns SET state = 'sealed', status = 'failed' WHERE id = $1`, [
      ended.turnId,
    ]);
    const found = async () => (await store.checkup.leftOpen(1_000)).map(({ turnId }) => turnId);
    expect(await found()).toContain(ended.turnId);
    expect(await found()).not.toContain(open.turnId);
    for (const { tenant, turnId } of [ended, open])
      await store.checkup.closeLeftOpen(tenant, turnId);
    expect(await found()).not.toContain(ended.turnId);
    const tools = (await store.turns.steps(ended.tenant, ended.turnId)).filter(({ tool }) => tool);
    expect(tools).toMatchObject([{ status: 'closed', tool: { outcome: 'unknown' } }]);
    await store.steps.settleTool(toolStep(open, 'a'), toolResult('a'));
  });

  test('counts what no sweep has come to', async () => {
    const { store } = database;
    const before = await store.checkup.overlooked(60_000);
    const turn = await newTurn(store);
    expect(await store.checkup.overlooked(60_000)).toEqual(before);
    await age('accepted_at', turn);
    await age('deadline', turn);
    expect(await store.checkup.overlooked(60_000)).toEqual({
      ...before,
      unstartedTurns: before.unstartedTurns + 1,
      overdueTurns: before.overdueTurns + 1,
    });
  });

  test('finds nothing in a conversation that is being deleted, and writes nothing into it', async () => {
    const { store } = database;
    const ended = await turnWithCalls(store, 'a');
    const { tenant, turnId, conversationId } = ended;
    await beginTool(store, toolStep(ended, 'a'), 'a');
    const behind = await waiting(store, ended, 'second');
    await sql(`UPDATE turnkeeper.turns SET state = 'sealed', status = 'failed' WHERE id = $1`, [
      turnId,
    ]);
    await passDeadline(database, behind);
    const before = await store.checkup.overlooked(0);
    await sql(
      `UPDATE turnkeeper.conversations SET deleted_at = now() - interval '1 second' WHERE id = $1`,
      [conversationId],
    );
    expect(await conversationsOf(tenant, 'waitingInVain')).toEqual([]);
    expect(await conversationsOf(tenant, 'heldByNobody')).toEqual([]);
    for (const found of [
      await store.checkup.leftOpen(1_000),
      await store.checkup.turnsIn(['queued'], 0, 1_000),
    ])
      expect(found.filter((turn) => turn.tenant === tenant)).toEqual([]);
    expect(await store.checkup.overlooked(0)).toEqual({
      ...before,
      lateQueuedTurns: before.lateQueuedTurns - 1,
      deletions: before.deletions + 1,
    });

    await store.checkup.closeLeftOpen(tenant, turnId);
    expect(await store.checkup.sealRestored(tenant, behind.turnId)).toBe(false);
    await expect(store.checkup.free(tenant, conversationId)).rejects.toMatchObject({
      code: 'conversation_not_found',
    });
    await sql('UPDATE turnkeeper.conversations SET deleted_at = NULL WHERE id = $1', [
      conversationId,
    ]);
    expect((await store.turns.steps(tenant, turnId)).at(-1)).toMatchObject({ status: 'open' });
    expect(await statusOf(database, behind)).toEqual(['queued', null]);
  });
}
