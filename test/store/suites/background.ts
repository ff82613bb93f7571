import { expect, test } from 'vitest';
import type { BegunStep, IntendedCall, StepRef } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { attemptOf, beginRespond, freshTenant, newTurn, RESPOND, stream } from '../fixtures.ts';

const CALL: IntendedCall = { model: 'small', inputTokens: 50, background: true };
const CREATED = { type: 'response.created', response: { id: 'resp_1' }, sequence_number: 0 };
const delta = (text: string, number: number) => ({
  type: 'response.output_text.delta',
  item_id: 'm',
  delta: text,
  sequence_number: number,
});

const USAGE = {
  responseId: 'resp_1',
  requestId: null,
  model: 'small-2',
  inputTokens: 40,
  cachedTokens: 8,
  outputTokens: 9,
  reasoningTokens: 1,
};

export function background(database: TestDatabase): void {
  const append = (ref: StepRef, position: number, ...events: { type: string }[]) =>
    database.store.events.append([{ ref, position, events }]);
  const runningOf = (begun: BegunStep) => (begun.state === 'open' ? begun.running : undefined);

  async function begunCall(call = CALL) {
    const { store } = database;
    const turn = await newTurn(store);
    const [first, second] = [attemptOf(turn), attemptOf(turn, RESPOND, 2)];
    await beginRespond(store, first);
    const { callId } = await store.steps.recordIntent(first, call);
    return { store, turn, first, second, callId };
  }

  test('is handed to the next attempt with all that was shown of it, and nothing is taken back', async () => {
    const { store, turn, first, second, callId } = await begunCall();
    await append(first, 0, CREATED, delta('Dams', 1));
    await append(first, 2, delta(' and', 2));
    expect(runningOf(await beginRespond(store, second))).toEqual({
      callId,
      responseId: 'resp_1',
      events: [CREATED, delta('Dams', 1), delta(' and', 2)],
      appended: 3,
      inputTokens: 50,
      failedCalls: 0,
    });
    expect(await append(second, 3, delta(' lodges', 3))).toEqual([]);
    expect(await stream(store, turn)).toEqual([
      'turn.started',
      'response.created',
      'Dams',
      ' and',
      ' lodges',
    ]);
  });

  test('is not written to any more by the attempt that lost it', async () => {
    const { store, first, second } = await begunCall();
    await append(first, 0, CREATED);
    await beginRespond(store, second);
    expect(await append(first, 1, delta('Dams', 1))).toEqual([first]);
  });

  test('whose id was not stored is an orphan, and what was shown is taken back', async () => {
    const { store, turn, first, second } = await begunCall();
    await append(first, 0, { type: 'response.queued' });
    expect(runningOf(await beginRespond(store, second))).toBeUndefined();
    expect(await store.steps.recordIntent(second, CALL)).toMatchObject({ orphans: 1 });
    expect(await stream(store, turn)).toContain('turn.rewind');
  });

  test('that has failed is not gone on with', async () => {
    const { store, turn, first, second, callId } = await begunCall();
    await append(first, 0, CREATED);
    const failure = { requestId: null, error: 'response_lost', refused: false };
    await store.steps.recordFailedCall(first, callId, failure);
    expect(runningOf(await beginRespond(store, second))).toBeUndefined();
    expect(await stream(store, turn)).toContain('turn.rewind');
    const { calls } = await store.turns.usage(turn.tenant, turn.turnId);
    expect(calls).toMatchObject([{ state: 'failed', estimated: true, responseId: 'resp_1' }]);
  });

  test('in the foreground is never gone on with', async () => {
    const { store, turn, first, second } = await begunCall({ ...CALL, background: false });
    await append(first, 0, CREATED);
    expect(runningOf(await beginRespond(store, second))).toBeUndefined();
    expect(await store.steps.recordIntent(second, CALL)).toMatchObject({ orphans: 0 });
    expect(await stream(store, turn)).toContain('turn.rewind');
  });

  test('that outlives its turn is told to whoever ended that, and counts as its provider says', async () => {
    const { store, turn, first, callId } = await begunCall();
    await append(first, 0, CREATED, delta('Dams', 1));
    const { tenant, turnId } = turn;
    const call = { callId, model: 'small', background: true, responseId: 'resp_1' };
    expect(await store.turns.seal(tenant, turnId, { status: 'cancelled' })).toMatchObject({
      abandonedCalls: [call],
    });
    const usage = async () => (await store.turns.usage(tenant, turnId)).calls;
    expect(await usage()).toMatchObject([{ estimated: true, responseId: 'resp_1' }]);
    await store.turns.settleAbandoned(freshTenant(), turnId, callId, USAGE);
    expect(await usage()).toMatchObject([{ estimated: true }]);
    await store.turns.settleAbandoned(tenant, turnId, callId, USAGE);
    expect(await usage()).toMatchObject([
      { state: 'abandoned', estimated: false, inputTokens: 40, outputTokens: 9 },
    ]);
  });

  test('whose reply is another than what was shown takes that back as it is settled', async () => {
    const { store, turn, first } = await begunCall();
    await append(first, 0, CREATED, delta('Dams', 1));
    await store.steps.settleResponse(first, {
      items: [],
      reply: { kind: 'answer' },
      toolDefinitions: [],
      events: [delta('Lodges', 9)],
      rewind: true,
      usage: null,
      summarize: null,
    });
    const said = ['turn.started', 'response.created', 'Dams', 'turn.rewind', 'Lodges'];
    expect(await stream(store, turn)).toEqual(said);
  });
}
