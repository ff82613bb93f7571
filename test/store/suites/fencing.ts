import { expect, test } from 'vitest';
import type { StepRef, Store } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
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
  refusal,
  response,
  stream,
  toolResult,
  toolStep,
  turnWithCalls,
  usageOf,
  type TurnAt,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

type Write = (store: Store, ref: StepRef, modelCall: string) => Promise<unknown>;

const ERROR = { reason: 'server_error', message: 'no' };

const WRITES: [string, Write][] = [
  [
    'recordIntent',
    (store, ref) => store.steps.recordIntent(ref, { model: 'small', inputTokens: 1 }),
  ],
  [
    'recordFailedCall',
    (store, ref, modelCall) =>
      store.steps.recordFailedCall(ref, modelCall, { requestId: null, error: 'no', refused: true }),
  ],
  ['settleRetrieval', (store, ref) => store.steps.settleRetrieval(ref, [])],
  [
    'settleResponse',
    (store, ref, modelCall) =>
      store.steps.settleResponse(
        ref,
        response([answer('late')], { events: [delta('late')], usage: usageOf(modelCall, 9, 9) }),
      ),
  ],
  ['settleTool', (store, ref) => store.steps.settleTool(ref, toolResult('a'))],
  ['settleFailure', (store, ref) => store.steps.settleFailure(ref, ERROR)],
];

export function losing(database: TestDatabase): void {
  /** A step that showed something, with a call under way. */
  async function working(): Promise<{ turn: TurnAt; modelCall: string }> {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    const { callId } = await store.steps.recordIntent(attemptOf(turn), {
      model: 'small',
      inputTokens: 1,
    });
    await appendOne(store, attemptOf(turn), 0, 'a');
    return { turn, modelCall: callId };
  }

  async function expectRefused(ref: StepRef, write: () => Promise<unknown>, reason: unknown) {
    const before = await rowsOf(database, ref.tenant);
    await expect(write()).rejects.toEqual(refusal(reason));
    expect(await rowsOf(database, ref.tenant)).toEqual(before);
    expect(await database.store.events.appended(ref)).toBeNull();
  }

  test.each(WRITES)('to a newer one: %s is refused and writes nothing', async (_, write) => {
    const { turn, modelCall } = await working();
    const ref = attemptOf(turn);
    await beginRespond(database.store, attemptOf(turn, RESPOND, 2));
    await expectRefused(ref, () => write(database.store, ref, modelCall), 'step_fenced');
  });

  test.each(WRITES)('to a newer one that settled it: %s is refused', async (_, write) => {
    const { turn, modelCall } = await working();
    const [ref, newer] = [attemptOf(turn), attemptOf(turn, RESPOND, 2)];
    await beginRespond(database.store, newer);
    await database.store.steps.settleResponse(newer, response());
    await expectRefused(ref, () => write(database.store, ref, modelCall), 'step_fenced');
  });

  test.each(WRITES)(
    'to the end of the turn: %s is refused and writes nothing',
    async (_, write) => {
      const { turn, modelCall } = await working();
      const ref = attemptOf(turn);
      await database.store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
      await expectRefused(ref, () => write(database.store, ref, modelCall), 'turn_sealed');
    },
  );

  test.each(WRITES)('to a restored backup: %s is refused and writes nothing', async (_, write) => {
    const { turn, modelCall } = await working();
    const ref = attemptOf(turn, 'respond:2');
    await expectRefused(ref, () => write(database.store, ref, modelCall), 'store_rolled_back');
  });

  test.each(WRITES)('to a backup without its turn: %s is refused', async (_, write) => {
    const { turn, modelCall } = await working();
    const ref = attemptOf({ ...turn, turnId: '00000000-0000-4000-8000-000000000000' });
    const reason = expect.stringMatching(/^(turn_not_found|store_rolled_back)$/) as unknown;
    await expectRefused(ref, () => write(database.store, ref, modelCall), reason);
  });
}

export function settling(database: TestDatabase): void {
  /** What a repeat must leave as it is; positions may have gaps. */
  async function written(turn: TurnAt) {
    const { conversations, ...rows } = await rowsOf(database, turn.tenant);
    expect(conversations).toHaveLength(1);
    return rows;
  }

  async function expectSilent(turn: TurnAt, settle: () => Promise<unknown>): Promise<void> {
    await settle();
    const before = await written(turn);
    await settle();
    expect(await written(turn)).toEqual(before);
  }

  test('may repeat a response', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId } = await store.steps.recordIntent(ref, { model: 'small', inputTokens: 1 });
    const reply = response([answer('yes'), callItem('a')], {
      events: [delta('yes')],
      usage: usageOf(callId, 10, 5),
    });
    await expectSilent(turn, () => store.steps.settleResponse(ref, reply));
    expect(await stream(store, turn)).toEqual(['turn.started', 'yes']);
    expect(await itemsOf(store, turn)).toHaveLength(3);
    expect(await store.turns.usage(turn.tenant, turn.turnId)).toMatchObject({ totalTokens: 15 });
  });

  test('may repeat a tool result', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a');
    const ref = toolStep(turn, 'a');
    await beginTool(store, ref, 'a');
    await expectSilent(turn, () => store.steps.settleTool(ref, toolResult('a')));
  });

  test('may repeat a failure', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    await appendOne(store, ref, 0, 'a');
    await expectSilent(turn, () => store.steps.settleFailure(ref, ERROR));
  });

  test('may repeat a retrieval', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn, 'retrieve');
    await store.steps.begin({ ...ref, after: [], kind: 'retrieve' });
    await expectSilent(turn, () => store.steps.settleRetrieval(ref, []));
  });

  test('appends nothing more and sends nothing more', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    await store.steps.settleResponse(ref, response());
    expect(await appendOne(store, ref, 0, 'late')).toEqual([ref]);
    expect(await store.events.appended(ref)).toBeNull();
    const intent = store.steps.recordIntent(ref, { model: 'small', inputTokens: 1 });
    await expect(intent).rejects.toEqual(refusal('step_fenced'));
  });
}
