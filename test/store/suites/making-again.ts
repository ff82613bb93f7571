import { expect, test } from 'vitest';
import type { Item } from '../../../src/contracts/json.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { accepted, again, everyItem } from '../again.ts';
import {
  answer,
  attemptOf,
  beginCompensation,
  beginRespond,
  beginTool,
  callItem,
  compensateStep,
  FAILED,
  failure,
  itemsOf,
  keyOf,
  newPlace,
  newTurn,
  QUESTION,
  refusal,
  response,
  toolResult,
  toolStep,
  turnWithCalls,
  type Place,
  type TurnAt,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const output = (callId: string, text = `result of ${callId}`): Item => ({
  ...{ type: 'function_call_output', call_id: callId, output: text },
});

type Store = TestDatabase['store'];

/** Its first model call asked for a tool, which ran; the second one broke off. */
async function brokenTurn(store: Store, place?: Place): Promise<TurnAt> {
  const turn = await newTurn(store, place);
  await beginRespond(store, attemptOf(turn));
  const calls = { kind: 'calls' as const, calls: [] };
  await store.steps.settleResponse(
    attemptOf(turn),
    response([answer('Let me see.'), callItem('a')], { reply: calls }),
  );
  await beginTool(store, toolStep(turn, 'a'), 'a');
  await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
  const second = attemptOf(turn, 'respond:2');
  await beginRespond(store, second, ['tool:a']);
  const cut = { kind: 'incomplete' as const, reason: 'max_output_tokens' };
  await store.steps.settleResponse(second, response([answer('It is')], { reply: cut }));
  await store.turns.seal(turn.tenant, turn.turnId, { status: 'incomplete', reason: cut.reason });
  return turn;
}

export function retrying(database: TestDatabase): void {
  test('goes on with what holds, in place of the turn before', async () => {
    const { store } = database;
    const old = await brokenTurn(store);
    const turn = await again(store, old);
    const held = [QUESTION, answer('Let me see.'), callItem('a'), output('a')];
    expect(await itemsOf(store, turn)).toEqual(held);
    const context = await store.steps.loadContext(attemptOf(turn));
    expect(context.items.map(({ item, turnId }) => [item, turnId])).toEqual(
      held.map((item) => [item, turn.turnId]),
    );
    const superseded = (await everyItem(store, old)).filter((entry) => entry.supersededBy);
    expect(superseded.map(({ turnId, supersededBy }) => [turnId, supersededBy])).toEqual(
      Array.from({ length: 5 }, () => [old.turnId, turn.turnId]),
    );
    expect(await store.turns.get(turn.tenant, turn.turnId)).toMatchObject({
      state: 'accepted',
      origin: { kind: 'retry', turnId: old.turnId },
    });
    expect(await store.turns.get(old.tenant, old.turnId)).toMatchObject({ origin: null });
  });

  test('of a retry goes on with what that one held', async () => {
    const { store } = database;
    const first = await again(store, await brokenTurn(store));
    await store.turns.seal(first.tenant, first.turnId, { status: 'cancelled' });
    const second = await again(store, first);
    const held = [QUESTION, answer('Let me see.'), callItem('a'), output('a')];
    expect(await itemsOf(store, second)).toEqual(held);
  });

  test('tells of an effect that was undone that it was, and is refused while it is being undone', async () => {
    const { store } = database;
    const old = await newTurn(store);
    await beginRespond(store, attemptOf(old));
    const reply = { kind: 'calls' as const, calls: [] };
    await store.steps.settleResponse(attemptOf(old), response(['a', 'b'].map(callItem), { reply }));
    for (const callId of ['a', 'b']) {
      await beginTool(store, toolStep(old, callId), callId, callId === 'a');
      await store.steps.settleTool(toolStep(old, callId), toolResult(callId));
    }
    await store.turns.seal(old.tenant, old.turnId, FAILED);
    await expect(again(store, old)).rejects.toEqual(failure('compensation_running'));
    await beginCompensation(store, compensateStep(old, 'a'));
    await store.compensations.settle(compensateStep(old, 'a'), null);
    await store.compensations.close(old.tenant, old.turnId);
    const items = await itemsOf(store, await again(store, old));
    const undone = expect.stringContaining('"undone"') as string;
    expect(items).toEqual([
      QUESTION,
      callItem('a'),
      callItem('b'),
      expect.objectContaining({ call_id: 'a', output: undone }),
      output('b'),
    ]);
  });

  test('is refused to a turn that completed, goes on, or is not the last', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place);
    expect(
      await store.turns.again(place.tenant, { turnId: first.turnId, kind: 'retry' }),
    ).toMatchObject({
      kind: 'busy',
      active: { id: first.turnId },
    });
    await store.turns.seal(place.tenant, first.turnId, { status: 'completed' });
    await expect(again(store, first)).rejects.toEqual(failure('turn_not_retryable'));
    const second = await brokenTurn(store, place);
    const third = await newTurn(store, place);
    await store.turns.seal(place.tenant, third.turnId, FAILED);
    const before = await everyItem(store, place);
    await expect(again(store, second)).rejects.toEqual(failure('turn_not_retryable'));
    expect(await everyItem(store, place)).toEqual(before);
  });

  test('is refused where items were added behind the turn, with or without a queue', async () => {
    const { store } = database;
    for (const queued of [true, false]) {
      const turn = await newTurn(store);
      const { tenant, conversationId } = turn;
      const add = () =>
        store.conversations.addItems(tenant, conversationId, { items: [QUESTION], maxQueued: 5 });
      if (queued) await add();
      await store.turns.seal(tenant, turn.turnId, FAILED);
      if (!queued) await add();
      const before = await rowsOf(database, tenant);
      for (const kind of ['retry', 'regenerate'] as const)
        await expect(again(store, turn, { kind })).rejects.toEqual(failure('turn_not_retryable'));
      expect(await rowsOf(database, tenant)).toEqual(before);
    }
  });

  test('is made from a turn behind items that were added before it', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const { tenant, conversationId } = place;
    const items = [answer('Welcome.')];
    await store.conversations.addItems(tenant, conversationId, { items, maxQueued: null });
    const turn = await newTurn(store, place);
    await store.turns.seal(tenant, turn.turnId, FAILED);
    expect(await itemsOf(store, await again(store, turn))).toEqual([...items, QUESTION]);
  });

  test('of two at once is one turn, and with one key the same one', async () => {
    const { store } = database;
    const old = await brokenTurn(store);
    const ask = (key?: string) =>
      store.turns.again(old.tenant, {
        ...{ turnId: old.turnId, kind: 'retry' as const },
        ...(key !== undefined && { key: keyOf(key) }),
      });
    const kinds = (await Promise.all([ask(), ask()])).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(['accepted', 'busy']);
    const other = await brokenTurn(store);
    const keyed = { turnId: other.turnId, kind: 'retry' as const, key: keyOf('k') };
    const both = await Promise.all([1, 2].map(() => store.turns.again(other.tenant, keyed)));
    expect(both.map(({ kind }) => kind).toSorted()).toEqual(['accepted', 'repeated']);
    expect(new Set(both.map((one) => accepted(one).turn.id)).size).toBe(1);
    const otherRequest = { ...keyed, key: keyOf('k', 'two') };
    await expect(store.turns.again(other.tenant, otherRequest)).rejects.toEqual(
      failure('idempotency_conflict'),
    );
  });
}

export function regenerating(database: TestDatabase): void {
  test('begins with the input alone, also where the turn before had completed', async () => {
    const { store } = database;
    const old = await newTurn(store);
    await beginRespond(store, attemptOf(old));
    await store.steps.settleResponse(attemptOf(old), response());
    await store.turns.seal(old.tenant, old.turnId, { status: 'completed' });
    const turn = await again(store, old, { kind: 'regenerate' });
    expect(await itemsOf(store, turn)).toEqual([QUESTION]);
    const { items } = await store.steps.loadContext(attemptOf(turn));
    expect(items.map(({ item }) => item)).toEqual([QUESTION]);
  });

  test('asks in the same transaction for what was done to be undone, and says so', async () => {
    const { store } = database;
    const old = await turnWithCalls(store, 'a');
    await beginTool(store, toolStep(old, 'a'), 'a', true);
    await store.steps.settleTool(toolStep(old, 'a'), toolResult('a'));
    await store.turns.seal(old.tenant, old.turnId, { status: 'completed' });
    const turn = await again(store, old, { kind: 'regenerate', compensate: true });
    expect(await store.turns.get(old.tenant, old.turnId)).toMatchObject({
      compensation: 'requested',
    });
    const [question, note] = await itemsOf(store, turn);
    expect(question).toEqual(QUESTION);
    expect(JSON.stringify(note)).toContain('is being undone');
  });

  test('asks for what the retried turn did to be undone, too', async () => {
    const { store } = database;
    const first = await turnWithCalls(store, 'a');
    await beginTool(store, toolStep(first, 'a'), 'a', true);
    await store.steps.settleTool(toolStep(first, 'a'), toolResult('a'));
    await store.turns.seal(first.tenant, first.turnId, { status: 'cancelled' });
    const retry = await again(store, first);
    await store.turns.seal(retry.tenant, retry.turnId, { status: 'completed' });
    await again(store, retry, { kind: 'regenerate', compensate: true });
    expect(await store.turns.get(first.tenant, first.turnId)).toMatchObject({
      compensation: 'requested',
    });
  });
}

export function repairing(database: TestDatabase): void {
  test('is a step of the turn, told once a round and by the attempt that holds the model call', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    const repairs = Array.from({ length: 150 }, (_, n) => ({
      ...{ rule: 'output_without_call' as const, position: n + 1 },
    }));
    expect(await store.steps.recordRepairs(attemptOf(turn), repairs)).toBe(true);
    await beginRespond(store, attemptOf(turn, undefined, 2));
    await expect(store.steps.recordRepairs(attemptOf(turn), repairs)).rejects.toEqual(
      refusal('step_fenced'),
    );
    expect(await store.steps.recordRepairs(attemptOf(turn, undefined, 2), repairs)).toBe(false);
    const [, step] = await store.turns.steps(turn.tenant, turn.turnId);
    expect(step).toMatchObject({ key: 'repair:1', kind: 'repair', status: 'completed' });
    expect(step?.repairs).toEqual({ total: 150, listed: repairs.slice(0, 100) });
    await store.turns.seal(turn.tenant, turn.turnId, FAILED);
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { kind: 'respond', status: 'closed', repairs: null },
      { kind: 'repair', status: 'completed' },
    ]);
  });
}
