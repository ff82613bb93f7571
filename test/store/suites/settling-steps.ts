import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Item } from '../../../src/contracts/json.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  CLERK,
  QUESTION,
  RESPOND,
  answer,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  callItem,
  claimTool,
  delta,
  freshTenant,
  itemsOf,
  newPlace,
  newTurn,
  outputsOf,
  readEvents,
  refusal,
  response,
  stream,
  toolResult,
  toolStep,
  turnWithCalls,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

export function modelCalls(database: TestDatabase): void {
  test('leaves its items, its events and its result together', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'It is ');
    const reply = response([answer('It is there.')], { events: [delta('there.')] });
    await store.steps.settleResponse(attemptOf(turn), reply);
    expect(await itemsOf(store, turn)).toEqual([QUESTION, answer('It is there.')]);
    expect(await readEvents(store, turn, 2)).toMatchObject([
      { number: 3, step: RESPOND, event: { delta: 'It is ' } },
      { number: 4, step: RESPOND, event: { delta: 'there.' } },
      { number: 5, step: RESPOND, event: { type: 'turn.step', status: 'completed' } },
    ]);
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { key: RESPOND, status: 'completed', error: null, settledAt: expect.any(Date) as Date },
    ]);
  });

  test('keeps items to the letter', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const text =
      '{"type":"reasoning","z":"\\u0000","a":{"b":"\\udc00","10":1,"2":2},"big":123456789012345680000,"tiny":1e-7,"text":"{\\"a\\",NULL}"}';
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(attemptOf(turn), response([JSON.parse(text) as Item]));
    const [, item] = await itemsOf(store, turn);
    expect(JSON.stringify(item)).toBe(JSON.stringify(JSON.parse(text)));
  });

  test('may leave nothing at all', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(attemptOf(turn), response([]));
    expect(await itemsOf(store, turn)).toEqual([QUESTION]);
    expect(await stream(store, turn)).toEqual(['turn.started']);
  });

  test('whose items the database refuses leaves nothing of itself', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const twice = response([callItem('a'), callItem('a')], { events: [delta('x')] });
    await expect(store.steps.settleResponse(ref, twice)).rejects.toThrow('items_calls');
    expect(await itemsOf(store, turn)).toEqual([QUESTION]);
    expect(await stream(store, turn)).toEqual(['turn.started']);
    await store.steps.settleResponse(ref, response());
  });

  test('that failed says so', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const error = { reason: 'quota_exceeded', message: 'no money' };
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleFailure(attemptOf(turn), error);
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toMatchObject([
      { key: RESPOND, status: 'failed', error },
    ]);
  });
}

export function toolCalls(database: TestDatabase): void {
  const ORDERS = [
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
    ['b', 'c', 'a'],
  ];

  test.each(ORDERS)(
    'are answered in the order they were made when settled as %s %s %s',
    async (...order) => {
      const { store } = database;
      const turn = await turnWithCalls(store, 'a', 'b', 'c');
      for (const callId of order) await beginTool(store, toolStep(turn, callId), callId);
      for (const callId of order) {
        await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
      }
      await beginRespond(store, attemptOf(turn, 'respond:2'));
      await store.steps.settleResponse(attemptOf(turn, 'respond:2'), response());
      const kinds = (await itemsOf(store, turn)).map((item) => item['call_id'] ?? item.type);
      expect(kinds).toEqual(['message', 'a', 'b', 'c', 'a', 'b', 'c', 'message']);
      expect(await outputsOf(store, turn)).toEqual([
        ['a', 'result of a'],
        ['b', 'result of b'],
        ['c', 'result of c'],
      ]);
    },
  );

  test('stand between other items without moving them', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    const items = [answer('I look.'), callItem('a'), { type: 'reasoning' }, callItem('b')];
    await store.steps.settleResponse(attemptOf(turn), response(items));
    for (const callId of ['b', 'a']) {
      await beginTool(store, toolStep(turn, callId), callId);
      await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
    }
    const stored = await itemsOf(store, turn);
    expect(stored.slice(1, 5)).toEqual(items);
    expect((await outputsOf(store, turn)).map(([callId]) => callId)).toEqual(['a', 'b']);
  });

  test.each([
    ['succeeded', 'completed', null],
    ['failed', 'failed', { reason: 'tool_error', message: 'a\u0000b' }],
    ['unknown', 'failed', { reason: 'timeout', message: 'late' }],
  ] as const)('that %s leave a step that is %s', async (outcome, status, error) => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a');
    const ref = toolStep(turn, 'a');
    await beginTool(store, ref, 'a');
    const output = 'nul \u0000, half \ud800, "quotes", {braces}';
    const call = { callId: 'a', name: 'lookup', outcome, output, error, effect: null };
    await store.steps.settleTool(ref, call);
    expect(await outputsOf(store, turn)).toEqual([['a', output]]);
    const [, step] = await store.turns.steps(turn.tenant, turn.turnId);
    const tool = { callId: 'a', name: 'lookup', policy: 'at-most-once', outcome };
    expect(step).toMatchObject({ key: 'tool:a', kind: 'tool', status, error, tool, model: null });
    expect(await beginTool(store, toolStep(turn, 'a', 2), 'a')).toEqual({
      state: 'settled',
      status,
      result: { outcome },
      error,
    });
  });

  test('of two turns may have the same id', async () => {
    const { store } = database;
    for (const turn of [await turnWithCalls(store, 'a'), await turnWithCalls(store, 'a')]) {
      await beginTool(store, toolStep(turn, 'a'), 'a');
      await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a', turn.turnId));
      expect(await outputsOf(store, turn)).toEqual([['a', turn.turnId]]);
    }
  });
}

export function contexts(database: TestDatabase): void {
  test('is the conversation up to now, the definition of the version, and the end user', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const { id: assistantId } = await store.assistants.create(tenant, CLERK);
    const { id: conversationId } = await store.conversations.create(tenant, {
      endUser: 'anna',
      metadata: {},
    });
    const place = { tenant, assistantId, conversationId };
    const earlier = await newTurn(store, place);
    await store.turns.seal(tenant, earlier.turnId, { status: 'completed' });
    const turn = await newTurn(store, place);
    await store.assistants.update(tenant, assistantId, { ...CLERK, model: 'large' });
    expect(await store.steps.loadContext(attemptOf(turn))).toMatchObject({
      conversationId,
      endUser: 'anna',
      definition: CLERK,
      items: [
        { turnId: earlier.turnId, item: QUESTION },
        { turnId: turn.turnId, item: QUESTION },
      ],
      passages: [],
      usedTokens: 0,
    });
  });

  test('of a turn that is gone is refused', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const ref = attemptOf({ ...place, turnId: randomUUID() });
    await expect(store.steps.loadContext(ref)).rejects.toEqual(refusal('turn_not_found'));
    await expect(beginTool(store, ref, 'a')).rejects.toEqual(refusal('store_rolled_back'));
  });

  test('of a tool call is the item as the model gave it', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a');
    const { conversationId } = turn;
    const edits = { editedArguments: null, clientTools: [] };
    const call = { conversationId, endUser: null, item: callItem('a'), ...edits };
    for (const [attempt, earlierAttempts] of [
      [1, 0],
      [2, 1],
    ] as const) {
      const claimed = await claimTool(store, toolStep(turn, 'a', attempt), 'a');
      expect(claimed).toEqual({ begun: { state: 'open', earlierAttempts }, call });
    }
    const before = await rowsOf(database, turn.tenant);
    const unheardOf = beginTool(store, toolStep(turn, 'b'), 'b');
    await expect(unheardOf).rejects.toEqual(refusal('store_rolled_back'));
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });
}
