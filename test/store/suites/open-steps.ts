import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  FAILED,
  QUESTION,
  RESPOND,
  answer,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  callItem,
  delta,
  itemsOf,
  newTurn,
  outputsOf,
  response,
  stream,
  toolResult,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly } from '../inspect.ts';

const partial = (text: string) => ({
  type: 'message',
  role: 'assistant',
  status: 'incomplete',
  content: [{ type: 'output_text', text, annotations: [] }],
});

export function openSteps(database: TestDatabase): void {
  async function seal(turn: TurnAt): Promise<void> {
    await database.store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
    await expectSealedSoundly(database, turn);
  }

  test('keeps what was shown of an answer as an incomplete message', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    await store.events.append([
      {
        ref,
        position: 0,
        events: [
          delta('It is \u0000'),
          { type: 'response.function_call_arguments.delta', item_id: 'fc_1', delta: '{"a":' },
          delta('there', 'msg_2'),
          delta('on', 'msg_1'),
        ],
      },
    ]);
    await seal(turn);
    expect(await itemsOf(store, turn)).toEqual([
      QUESTION,
      partial('It is \u0000on'),
      partial('there'),
    ]);
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { status: 'closed', error: { reason: 'interrupted' } },
    ]);
  });

  test('keeps nothing of what was taken back', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'wrong');
    const second = attemptOf(turn, RESPOND, 2);
    await beginRespond(store, second);
    await appendOne(store, second, 0, 'right');
    await seal(turn);
    expect(await itemsOf(store, turn)).toEqual([QUESTION, partial('right')]);
  });

  test('keeps nothing of an attempt that showed nothing after a rewind', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'wrong');
    await beginRespond(store, attemptOf(turn, RESPOND, 2));
    await seal(turn);
    expect(await itemsOf(store, turn)).toEqual([QUESTION]);
  });

  test('keeps nothing of a model call that failed, and the whole of one that settled', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'wrong');
    await store.steps.settleFailure(attemptOf(turn), { reason: 'server_error', message: '' });
    const fallback = attemptOf(turn, 'respond:1:fallback');
    await beginRespond(store, fallback, [RESPOND]);
    await appendOne(store, fallback, 0, 'right');
    await store.steps.settleResponse(fallback, response([answer('right')]));
    await seal(turn);
    expect(await itemsOf(store, turn)).toEqual([QUESTION, answer('right')]);
  });

  test('answers each open call with what is known of it, in the order of the calls', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b', 'c', 'd');
    for (const callId of ['d', 'b']) await beginTool(store, toolStep(turn, callId), callId);
    await store.steps.settleTool(toolStep(turn, 'd'), toolResult('d'));
    await seal(turn);
    expect(await outputsOf(store, turn)).toEqual([
      ['a', expect.stringContaining('not_started')],
      ['b', expect.stringContaining('outcome_unknown')],
      ['c', expect.stringContaining('not_started')],
      ['d', 'result of d'],
    ]);
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { key: RESPOND, status: 'completed' },
      { key: 'tool:d', status: 'completed', tool: { outcome: 'succeeded' } },
      { key: 'tool:b', status: 'closed', tool: { outcome: 'unknown' } },
    ]);
  });

  test('answers calls of earlier rounds and items behind them stay where they are', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a');
    await beginTool(store, toolStep(turn, 'a'), 'a');
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    const second = attemptOf(turn, 'respond:2');
    await beginRespond(store, second);
    await store.steps.settleResponse(second, response([callItem('b')]));
    await seal(turn);
    expect(await outputsOf(store, turn)).toEqual([
      ['a', 'result of a'],
      ['b', expect.stringContaining('not_started')],
    ]);
    const later = await newTurn(store, turn);
    const items = await itemsOf(store, later);
    expect(items.map(({ type }) => type)).toEqual([
      'message',
      'function_call',
      'function_call_output',
      'function_call',
      'function_call_output',
      'message',
    ]);
  });

  test('tells of the tool calls that were under way, also whoever comes after', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b', 'c');
    for (const callId of ['a', 'c']) await beginTool(store, toolStep(turn, callId), callId);
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    const unheardOf = { callId: 'b', name: 'unheard_of', policy: null, timeoutMs: 1 };
    const began = {
      ...toolStep(turn, 'b'),
      after: [RESPOND],
      compensable: false,
      compensateUnknown: false,
    };
    await store.steps.claim({ ...began, kind: 'tool', ...unheardOf });
    const end = () => store.turns.seal(turn.tenant, turn.turnId, FAILED);
    const interruptedTools = [{ step: 'tool:c', name: 'lookup', policy: 'at-most-once' }];
    expect(await end()).toMatchObject({ won: true, interruptedTools });
    expect(await end()).toMatchObject({ won: false, interruptedTools });
  });

  test('closes a retrieval without an outcome', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await store.steps.begin({ ...attemptOf(turn, 'retrieve'), after: [], kind: 'retrieve' });
    await seal(turn);
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { kind: 'retrieve', status: 'closed', tool: null },
    ]);
    expect(await stream(store, turn)).toEqual(['turn.started', 'turn.done']);
  });
}
