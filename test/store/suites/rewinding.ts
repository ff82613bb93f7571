import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  newTurn,
  readEvents,
  refusal,
  stream,
  toolStep,
  turnWithCalls,
} from '../fixtures.ts';

export function rewinding(database: TestDatabase): void {
  const RESPONSE_1 = ['turn.started', 'a', 'b'];

  test('a newer attempt takes back what the one before it showed', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'a', 'b');
    await beginRespond(store, attemptOf(turn, RESPOND, 2));
    expect(await stream(store, turn)).toEqual([...RESPONSE_1, 'turn.rewind']);
    await appendOne(store, attemptOf(turn, RESPOND, 2), 0, 'c');
    await beginRespond(store, attemptOf(turn, RESPOND, 3));
    const rewinds = (await readEvents(store, turn)).filter(
      ({ event }) => event.type === 'turn.rewind',
    );
    expect(rewinds).toMatchObject([
      { number: 5, step: null, event: { to: 2 } },
      { number: 7, step: null, event: { to: 5 } },
    ]);
  });

  test('an attempt that repeats its begin starts at nothing again', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'a', 'b');
    await beginRespond(store, attemptOf(turn));
    expect(await appendOne(store, attemptOf(turn), 0, 'c')).toEqual([]);
    expect(await stream(store, turn)).toEqual([...RESPONSE_1, 'turn.rewind', 'c']);
  });

  test('nothing is taken back when nothing was shown', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    for (const n of [1, 2, 3]) await beginRespond(store, attemptOf(turn, RESPOND, n));
    expect(await stream(store, turn)).toEqual(['turn.started']);
  });

  test('a refused attempt takes nothing back', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn, RESPOND, 2));
    await appendOne(store, attemptOf(turn, RESPOND, 2), 0, 'a', 'b');
    await expect(beginRespond(store, attemptOf(turn))).rejects.toEqual(refusal('step_fenced'));
    expect(await stream(store, turn)).toEqual(RESPONSE_1);
  });

  test('progress of a tool is never taken back', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a');
    await beginTool(store, toolStep(turn, 'a'), 'a');
    await appendOne(store, toolStep(turn, 'a'), 0, 'half way');
    await beginTool(store, toolStep(turn, 'a', 2), 'a');
    expect(await stream(store, turn)).toEqual(['turn.started', 'half way']);
  });

  test('a model call that failed for good takes back what it showed', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'a', 'b');
    await store.steps.settleFailure(attemptOf(turn), { reason: 'server_error', message: '' });
    const [rewind, failed] = await readEvents(store, turn, 4);
    expect(rewind).toMatchObject({ number: 5, event: { type: 'turn.rewind', to: 2 } });
    expect(failed).toMatchObject({
      number: 6,
      event: { status: 'failed', reason: 'server_error' },
    });
    await beginRespond(store, attemptOf(turn, 'respond:1:fallback'), [RESPOND]);
    expect(await stream(store, turn)).toEqual([...RESPONSE_1, 'turn.rewind']);
  });
}
