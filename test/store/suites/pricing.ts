import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  appendOne,
  attemptOf,
  beginRespond,
  newTurn,
  response,
  usageOf,
  type TurnAt,
} from '../fixtures.ts';

export function prices(database: TestDatabase): void {
  const CALL = { model: 'small', inputTokens: 100 };

  async function usage({ tenant, turnId }: TurnAt) {
    return database.store.turns.usage(tenant, turnId);
  }

  test('is what the provider said', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId, failedCalls } = await store.steps.recordIntent(ref, CALL);
    expect(failedCalls).toBe(0);
    expect((await usage(turn)).calls).toMatchObject([{ state: 'intent', estimated: true }]);
    await store.steps.settleResponse(ref, response([], { usage: usageOf(callId, 90, 7) }));
    expect(await usage(turn)).toEqual({
      inputTokens: 90,
      cachedTokens: 2,
      outputTokens: 7,
      reasoningTokens: 1,
      totalTokens: 97,
      costUsd: null,
      calls: [
        {
          step: RESPOND,
          model: 'small-2026',
          state: 'completed',
          background: false,
          estimated: false,
          responseId: 'resp_1',
          requestId: 'req_1',
          inputTokens: 90,
          cachedTokens: 2,
          outputTokens: 7,
          reasoningTokens: 1,
        },
      ],
    });
  });

  test('is in dollars, where the model has a list price', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId } = await store.steps.recordIntent(ref, CALL);
    const settled = usageOf(callId, 1_000_000, 0);
    const call = { ...settled.call, model: 'gpt-5-mini', cachedTokens: 0 };
    await store.steps.settleResponse(ref, response([], { usage: { ...settled, call } }));
    expect(await usage(turn)).toMatchObject({ costUsd: 0.25 });
  });

  test('of a call that the next attempt abandons is its input and what was shown', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.steps.recordIntent(attemptOf(turn), CALL);
    await appendOne(store, attemptOf(turn), 0, 'x'.repeat(9), 'y'.repeat(8));
    const second = attemptOf(turn, RESPOND, 2);
    await beginRespond(store, second);
    await store.steps.recordIntent(second, CALL);
    await appendOne(store, second, 0, 'z');
    expect((await usage(turn)).calls).toMatchObject([
      { state: 'abandoned', estimated: true, inputTokens: 100, outputTokens: 5 },
      { state: 'intent', estimated: true, inputTokens: 100, outputTokens: 0 },
    ]);
  });

  test('of a call that failed before it showed anything is nothing', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId } = await store.steps.recordIntent(ref, CALL);
    await store.steps.recordFailedCall(ref, callId, {
      requestId: 'req_9',
      error: 'rate_limited',
      refused: true,
    });
    expect((await usage(turn)).calls).toMatchObject([
      { state: 'failed', estimated: false, requestId: 'req_9', inputTokens: 0, outputTokens: 0 },
    ]);
  });

  test('of a call that may have been answered is its input, though nothing was shown', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId } = await store.steps.recordIntent(ref, CALL);
    await store.steps.recordFailedCall(ref, callId, {
      requestId: null,
      error: 'timeout',
      refused: false,
    });
    expect((await usage(turn)).calls).toMatchObject([
      { state: 'failed', estimated: true, inputTokens: 100, outputTokens: 0 },
    ]);
  });

  test('of a call that broke off is its input and what it showed itself', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const first = await store.steps.recordIntent(ref, CALL);
    await appendOne(store, ref, 0, 'x'.repeat(40));
    await store.steps.recordFailedCall(ref, first.callId, {
      requestId: null,
      error: 'connection',
      refused: true,
    });
    const second = await store.steps.recordIntent(ref, CALL);
    expect(second.failedCalls).toBe(1);
    await appendOne(store, ref, 1, 'y'.repeat(8));
    await store.steps.recordFailedCall(ref, second.callId, {
      requestId: null,
      error: 'connection',
      refused: true,
    });
    expect((await usage(turn)).calls).toMatchObject([
      { state: 'failed', estimated: true, inputTokens: 100, outputTokens: 10 },
      { state: 'failed', estimated: true, inputTokens: 100, outputTokens: 2 },
    ]);
  });

  test('of a failed call is not written over', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId } = await store.steps.recordIntent(ref, CALL);
    await store.steps.recordFailedCall(ref, callId, {
      requestId: 'req_1',
      error: 'first',
      refused: true,
    });
    await store.steps.recordFailedCall(ref, callId, {
      requestId: 'req_2',
      error: 'second',
      refused: true,
    });
    expect((await usage(turn)).calls).toMatchObject([{ requestId: 'req_1' }]);
    expect((await store.steps.recordIntent(ref, CALL)).failedCalls).toBe(1);
  });

  test('counts failures of each step for itself', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const [first, second] = [attemptOf(turn), attemptOf(turn, 'respond:1:fallback')];
    await beginRespond(store, first);
    const { callId } = await store.steps.recordIntent(first, CALL);
    await store.steps.recordFailedCall(first, callId, {
      requestId: null,
      error: 'no',
      refused: true,
    });
    await store.steps.settleFailure(first, { reason: 'server_error', message: 'no' });
    await beginRespond(store, second, [RESPOND]);
    expect((await store.steps.recordIntent(second, CALL)).failedCalls).toBe(0);
  });
}
