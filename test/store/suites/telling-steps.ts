import { expect, test } from 'vitest';
import type { Passage } from '../../../src/contracts/retrieval.ts';
import type { Store } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  attemptOf,
  beginRespond,
  beginTool,
  newTurn,
  readEvents,
  response,
  story,
  toolResult,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';

const PASSAGE: Passage = {
  ...{ chunkId: '01890000-0000-7000-8000-000000000001', documentName: 'n', text: 'secret' },
  ...{ documentId: '01890000-0000-7000-8000-000000000002', start: 0, end: 6, score: 1 },
};

export function tellingSteps(database: TestDatabase): void {
  const toldOf = async (turn: TurnAt, step: string) => {
    const events = await readEvents(database.store, turn);
    const own = events.filter(({ event }) => event.type === 'turn.step' && event['step'] === step);
    return own.map(({ event }) => event);
  };

  test('tells of a model call with its model', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(attemptOf(turn), response());
    const call = { type: 'turn.step', step: RESPOND, kind: 'respond', model: 'small' };
    expect(await toldOf(turn, RESPOND)).toEqual([
      { ...call, status: 'started' },
      { ...call, status: 'completed' },
    ]);
  });

  test('tells of a retrieval with how many passages it found', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn, 'retrieve');
    await store.steps.begin({ ...ref, after: [], kind: 'retrieve' });
    const content = Buffer.from('text');
    const ladders = { base: 'b', name: 'ladders.md', mediaType: 'text/plain', content };
    const { id: documentId } = await store.documents.create(turn.tenant, ladders);
    await store.documents.markIndexed(turn.tenant, documentId, 1);
    await store.steps.settleRetrieval(ref, [{ ...PASSAGE, documentId }]);
    const retrieval = { type: 'turn.step', step: 'retrieve', kind: 'retrieve' };
    expect(await toldOf(turn, 'retrieve')).toEqual([
      { ...retrieval, status: 'started' },
      { ...retrieval, status: 'completed', passages: 1 },
    ]);
  });

  test('tells of a tool call with its name and outcome, and of nothing it was given or returned', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b');
    for (const callId of ['a', 'b']) await beginTool(store, toolStep(turn, callId), callId);
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a', 'secret'));
    const error = { reason: 'tool_failed', message: 'secret' };
    const failed = { ...toolResult('b', 'secret'), outcome: 'failed', error } as const;
    await store.steps.settleTool(toolStep(turn, 'b'), failed);
    const call = { type: 'turn.step', kind: 'tool', name: 'lookup' };
    expect(await toldOf(turn, 'tool:a')).toEqual([
      { ...call, step: 'tool:a', call_id: 'a', status: 'started' },
      { ...call, step: 'tool:a', call_id: 'a', status: 'completed', outcome: 'succeeded' },
    ]);
    expect((await toldOf(turn, 'tool:b'))[1]).toEqual({
      ...{ ...call, step: 'tool:b', call_id: 'b', status: 'failed', outcome: 'failed' },
    });
  });

  test('tells of a failure behind what is taken back over it', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.events.append([
      { ref: attemptOf(turn), position: 0, events: [{ type: 'x.delta', delta: 'shown' }] },
    ]);
    await store.steps.settleFailure(attemptOf(turn), { reason: 'server_error', message: '' });
    const end = ['turn.rewind', `${RESPOND} failed`];
    expect(await story(store, turn)).toEqual([
      'turn.started',
      `${RESPOND} started`,
      'shown',
      ...end,
    ]);
  });

  test('tells of each step once, however often it is begun and settled', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    for (const n of [1, 2, 2]) await beginRespond(store, attemptOf(turn, RESPOND, n));
    const settle = () => store.steps.settleResponse(attemptOf(turn, RESPOND, 2), response());
    await settle();
    await settle();
    await beginRespond(store, attemptOf(turn, RESPOND, 3));
    const once = [`${RESPOND} started`, `${RESPOND} completed`];
    expect(await story(store, turn)).toEqual(['turn.started', ...once]);
  });

  test('tells of steps that begin at once, each under a number of its own', async () => {
    const calls = Array.from({ length: 8 }, (_, n) => `c${n}`);
    const { store } = database;
    const turn = await turnWithCalls(store, ...calls);
    const runs = calls.map((callId) => runTool(store, turn, callId));
    const again = calls.map((callId) => beginTool(store, toolStep(turn, callId, 2), callId));
    await Promise.allSettled([...runs, ...again]);
    const numbers = (await readEvents(store, turn)).map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    const told = (await story(store, turn)).filter((line) => String(line).endsWith(' started'));
    expect(told.sort()).toEqual(
      [RESPOND, ...calls.map((id) => `tool:${id}`)].map((step) => `${step} started`).sort(),
    );
  });

  test('leaves a step that the turn was ended over to the last event', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
    expect(await story(store, turn)).toEqual(['turn.started', `${RESPOND} started`, 'turn.done']);
  });

  test('tells nothing of a step that may not begin', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await expect(beginRespond(store, attemptOf(turn), ['retrieve'])).rejects.toThrow();
    expect(await story(store, turn)).toEqual(['turn.started']);
  });
}

async function runTool(store: Store, turn: TurnAt, callId: string): Promise<void> {
  await beginTool(store, toolStep(turn, callId), callId);
  await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
}
