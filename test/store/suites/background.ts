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

  /** Those of one turn, as a sweep gets them that comes when the grace is over, or later. */
  async function unstopped({ turnId }: { turnId: string }): Promise<string[]> {
    const calls = await database.store.sweep.unstoppedCalls(60_000, 100);
    return calls.filter((call) => call.turnId === turnId).map(({ responseId }) => responseId);
  }

  const whenDue = ({ turnId }: { turnId: string }) =>
    database.sql(
      'UPDATE turnkeeper.model_calls SET stop_at = now() WHERE turn_id = $1 AND stop_at IS NOT NULL',
      [turnId],
    );

  async function abandonedCall() {
    const begun = await begunCall();
    await append(begun.first, 0, CREATED);
    const { store, turn } = begun;
    await store.turns.seal(turn.tenant, turn.turnId, {
      status: 'failed',
      reason: 'r',
      message: '',
    });
    return begun;
  }

  test('that outlives its turn is handed out to be stopped, after a grace, and once in a while', async () => {
    const { store, turn, callId } = await abandonedCall();
    expect(await unstopped(turn)).toEqual([]);
    await whenDue(turn);
    const handedOut = await Promise.all([1, 2, 3].map(() => unstopped(turn)));
    expect(handedOut.flat()).toEqual(['resp_1']);
    await whenDue(turn);
    const calls = await store.sweep.unstoppedCalls(60_000, 100);
    const { tenant, turnId } = turn;
    expect(calls).toContainEqual({ tenant, turnId, callId, responseId: 'resp_1', model: 'small' });
  });

  test.each(['with its usage', 'without'])(
    'is not handed out once it is stopped, %s',
    async (how) => {
      const { store, turn, callId } = await abandonedCall();
      const { tenant, turnId } = turn;
      await store.turns.markStopped(freshTenant(), turnId, callId);
      await whenDue(turn);
      expect(await unstopped(turn)).toEqual(['resp_1']);
      if (how === 'without') await store.turns.markStopped(tenant, turnId, callId);
      else await store.turns.settleAbandoned(tenant, turnId, callId, USAGE);
      await whenDue(turn);
      expect(await unstopped(turn)).toEqual([]);
      const { calls } = await store.turns.usage(tenant, turnId);
      expect(calls).toMatchObject([{ state: 'abandoned', estimated: how === 'without' }]);
    },
  );

  test('that cannot be stopped is let go of after eleven tries', async () => {
    const { turn } = await abandonedCall();
    for (let tries = 0; tries < 11; tries++) {
      await whenDue(turn);
      expect(await unstopped(turn)).toEqual(['resp_1']);
    }
    await whenDue(turn);
    expect(await unstopped(turn)).toEqual([]);
  });

  test('whose id nobody knows, or that is read as it is made, is not handed out to be stopped', async () => {
    for (const call of [CALL, { ...CALL, background: false }]) {
      const { store, turn, first } = await begunCall(call);
      if (!call.background) await append(first, 0, CREATED);
      await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
      await whenDue(turn);
      expect(await unstopped(turn)).toEqual([]);
    }
  });

  test('whose id comes too late to be stored is noted, and to be stopped', async () => {
    const { store, turn, first, second, callId } = await begunCall();
    await beginRespond(store, second);
    await store.steps.recordIntent(second, CALL);
    expect(await append(first, 0, CREATED)).toEqual([first]);
    expect(await store.turns.identifyOrphan(first, callId, 'resp_1')).toBe(true);
    expect(await store.turns.identifyOrphan(first, callId, 'resp_1')).toBe(false);
    const { calls } = await store.turns.usage(turn.tenant, turn.turnId);
    expect(calls).toMatchObject([
      { state: 'abandoned', responseId: 'resp_1' },
      { state: 'intent' },
    ]);
    await whenDue(turn);
    expect(await unstopped(turn)).toEqual(['resp_1']);
  });

  test('whose id comes before the next attempt has given it up is no orphan either', async () => {
    const { store, turn, first, second, callId } = await begunCall();
    await beginRespond(store, second);
    expect(await store.turns.identifyOrphan(first, callId, 'resp_1')).toBe(true);
    expect(await store.steps.recordIntent(second, CALL)).toMatchObject({ orphans: 0 });
    await whenDue(turn);
    expect(await unstopped(turn)).toEqual(['resp_1']);
  });

  test('is left to whoever may go on with it: its own attempt, or the next one', async () => {
    const { store, first, second, callId } = await begunCall();
    expect(await store.turns.identifyOrphan(first, callId, 'resp_1')).toBe(false);
    await append(first, 0, CREATED);
    await beginRespond(store, second);
    expect(await store.turns.identifyOrphan(first, callId, 'resp_1')).toBe(false);
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
