import { expect, test } from 'vitest';
import type { Fence } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  newPlace,
  newTurn,
  refusal,
  response,
  toolResult,
  toolStep,
  turnWithCalls,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const OPEN = { state: 'open', earlierAttempts: 0 };

export function beginning(database: TestDatabase): void {
  const fences: [string, Fence, 'open' | 'refused'][] = [
    ['scheduled later', { scheduledMs: 8, attempt: 3 }, 'open'],
    ['scheduled later, by a reset', { scheduledMs: 8, attempt: 1 }, 'open'],
    ['of the same millisecond with a higher number', { scheduledMs: 7, attempt: 3 }, 'open'],
    ['that repeats itself', { scheduledMs: 7, attempt: 2 }, 'open'],
    ['scheduled earlier', { scheduledMs: 6, attempt: 1 }, 'refused'],
    ['scheduled earlier with a higher number', { scheduledMs: 6, attempt: 9 }, 'refused'],
    ['of the same millisecond with a lower number', { scheduledMs: 7, attempt: 1 }, 'refused'],
  ];

  test.each(fences)('by an attempt %s', async (_, second, outcome) => {
    const { store } = database;
    const turn = await newTurn(store);
    const first = { scheduledMs: 7, attempt: 2 };
    expect(await beginRespond(store, { ...attemptOf(turn), fence: first })).toEqual(OPEN);
    const begin = beginRespond(store, { ...attemptOf(turn), fence: second });
    if (outcome === 'open') expect(await begin).toEqual({ state: 'open', earlierAttempts: 1 });
    else await expect(begin).rejects.toEqual(refusal('step_fenced'));
    const holder = outcome === 'open' ? second : first;
    expect(await appendOne(store, { ...attemptOf(turn), fence: holder }, 0, 'x')).toEqual([]);
  });

  test('counts the attempts before', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    for (const n of [1, 2, 3]) {
      const begun = await beginRespond(store, attemptOf(turn, RESPOND, n));
      expect(begun).toEqual({ state: 'open', earlierAttempts: n - 1 });
    }
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { key: RESPOND, kind: 'respond', status: 'open', attempts: 3, model: 'small', tool: null },
    ]);
  });

  test.each([1, 2, 3])(
    'attempt %i of a completed step gets its result and changes nothing',
    async (n) => {
      const { store } = database;
      const turn = await newTurn(store);
      await beginRespond(store, attemptOf(turn, RESPOND, 2));
      await store.steps.settleResponse(attemptOf(turn, RESPOND, 2), response());
      const before = await rowsOf(database, turn.tenant);
      expect(await beginRespond(store, attemptOf(turn, RESPOND, n))).toEqual({
        state: 'settled',
        status: 'completed',
        result: { kind: 'answer' },
        error: null,
      });
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
    },
  );

  test('a failed step hands back its failure, as it was told', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const error = { reason: 'rate_limited', message: 'a\u0000b' };
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleFailure(attemptOf(turn), error, { passages: 0 });
    expect(await beginRespond(store, attemptOf(turn, RESPOND, 2))).toEqual({
      state: 'settled',
      status: 'failed',
      result: { passages: 0 },
      error,
    });
  });

  test('is refused on a sealed turn, for a new step and for one that had begun', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
    const before = await rowsOf(database, turn.tenant);
    for (const ref of [attemptOf(turn, RESPOND, 2), attemptOf(turn, 'respond:2')]) {
      await expect(beginRespond(store, ref)).rejects.toEqual(refusal('turn_sealed'));
    }
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('is refused on a turn that the store does not have', async () => {
    const place = await newPlace(database.store);
    const turn = { ...place, turnId: '00000000-0000-4000-8000-000000000000' };
    await expect(beginRespond(database.store, attemptOf(turn))).rejects.toEqual(
      refusal('turn_not_found'),
    );
  });

  test('is refused while a step before it is missing or open, and writes nothing', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn, 'retrieve'));
    const before = await rowsOf(database, turn.tenant);
    for (const after of [['retrieve'], ['nothing']]) {
      await expect(beginRespond(store, attemptOf(turn), after)).rejects.toEqual(
        refusal('store_rolled_back'),
      );
    }
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('is granted when every step before it is settled, also as failed', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b');
    for (const callId of ['a', 'b']) await beginTool(store, toolStep(turn, callId), callId);
    const after = ['tool:a', 'tool:b'];
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    await expect(beginRespond(store, attemptOf(turn, 'respond:2'), after)).rejects.toEqual(
      refusal('store_rolled_back'),
    );
    const error = { reason: 'tool_error', message: 'no' };
    await store.steps.settleTool(toolStep(turn, 'b'), {
      ...toolResult('b'),
      outcome: 'failed',
      error,
    });
    expect(await beginRespond(store, attemptOf(turn, 'respond:2'), after)).toEqual(OPEN);
  });
}
