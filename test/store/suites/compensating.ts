import { expect, test } from 'vitest';
import type { SettleTool } from '../../../src/contracts/store.ts';
import type { Ending } from '../../../src/contracts/turn.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  FAILED,
  beginCompensation,
  beginTool,
  compensateStep,
  failedTurn,
  newTurn,
  refusal,
  toolResult,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const OPEN = { state: 'open', earlierAttempts: 0 };
const ERROR = { reason: 'compensation_failed', message: 'The shop is closed.' };
const DONE = { state: 'settled', status: 'completed', result: null, error: null };

export function compensating(database: TestDatabase): void {
  const effectsOf = async ({ tenant, turnId }: TurnAt): Promise<string[]> => {
    const effects = await database.store.compensations.effects(tenant, turnId);
    return effects.map(({ callId }) => callId);
  };

  const endings: Ending[] = [
    { status: 'completed' },
    { status: 'cancelled' },
    { status: 'incomplete', reason: 'max_rounds' },
    { status: 'expired' },
  ];

  test.each(endings)('is not asked for by a turn that ends as $status', async (ending) => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a');
    await beginTool(store, toolStep(turn, 'a'), 'a', true);
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    await database.sql('UPDATE turnkeeper.turns SET deadline = now() WHERE id = $1', [turn.turnId]);
    expect(await store.turns.seal(turn.tenant, turn.turnId, ending)).toMatchObject({
      status: ending.status,
      compensate: null,
    });
    expect(await store.turns.get(turn.tenant, turn.turnId)).toMatchObject({ compensation: null });
    await expect(effectsOf(turn)).rejects.toEqual(refusal('store_rolled_back'));
    await expect(beginCompensation(store, compensateStep(turn, 'a'))).rejects.toEqual(
      refusal('store_rolled_back'),
    );
  });

  test('is asked for as the turn is sealed, and told to whoever seals it again', async () => {
    const { store } = database;
    const { tenant, turnId } = await failedTurn(store, 'a');
    expect(await store.turns.get(tenant, turnId)).toMatchObject({ compensation: 'requested' });
    const again = await store.turns.seal(tenant, turnId, { status: 'completed' });
    expect(again).toMatchObject({ won: false, status: 'failed', compensate: { tenant, turnId } });
  });

  test('goes over the effects in the reverse order of their settling', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b', 'c');
    for (const callId of ['a', 'b', 'c'])
      await beginTool(store, toolStep(turn, callId), callId, true);
    for (const callId of ['b', 'c', 'a']) {
      await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
      // PGlite's clock ticks in milliseconds.
      await database.sql('SELECT pg_sleep(0.005)');
    }
    await store.turns.seal(turn.tenant, turn.turnId, FAILED);
    expect(await effectsOf(turn)).toEqual(['a', 'c', 'b']);
    await database.sql('UPDATE turnkeeper.steps SET settled_at = now() WHERE turn_id = $1', [
      turn.turnId,
    ]);
    expect(await effectsOf(turn), 'settled in the same moment').toEqual(['c', 'b', 'a']);
    expect(await store.compensations.effects(turn.tenant, turn.turnId)).toContainEqual({
      callId: 'c',
      name: 'lookup',
      timeoutMs: 5_000,
    });
  });

  const failed = { outcome: 'failed', error: ERROR } as const;
  const calls: [string, Partial<SettleTool>, boolean][] = [
    ['that succeeded', {}, true],
    ['whose output was not usable', failed, true],
    ['that failed', { ...failed, effect: null }, false],
    ['of which nobody knows', { outcome: 'unknown', error: ERROR, effect: null }, false],
  ];

  test.each(calls)('undoes a call %s: %j', async (_, result, undone) => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b');
    for (const [callId, more] of [
      ['a', {}],
      ['b', result],
    ] as const) {
      await beginTool(store, toolStep(turn, callId), callId, true);
      await store.steps.settleTool(toolStep(turn, callId), { ...toolResult(callId), ...more });
    }
    await store.turns.seal(turn.tenant, turn.turnId, FAILED);
    expect(await effectsOf(turn)).toEqual(undone ? ['b', 'a'] : ['a']);
    if (undone) return;
    const begun = beginCompensation(store, compensateStep(turn, 'b'));
    await expect(begun).rejects.toEqual(refusal('store_rolled_back'));
  });

  test('is not asked for when no tool can undo what it did, or none is known to have done it', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b', 'c');
    await beginTool(store, toolStep(turn, 'a'), 'a');
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    await beginTool(store, toolStep(turn, 'b'), 'b', true);
    const sealed = await store.turns.seal(turn.tenant, turn.turnId, FAILED);
    expect(sealed).toMatchObject({ won: true, compensate: null });
    expect(await store.turns.get(turn.tenant, turn.turnId)).toMatchObject({ compensation: null });
  });

  test.each(['{"seat":"12A"}', { seat: '12A' }, null, 'nul \u0000, half \ud800', [1, 2]])(
    'hands over the arguments and what was returned, not what the model was told: %j',
    async (returned) => {
      const { store } = database;
      const turn = await turnWithCalls(store, 'a');
      await beginTool(store, toolStep(turn, 'a'), 'a', true);
      await store.steps.settleTool(toolStep(turn, 'a'), {
        ...toolResult('a', 'as the model was told'),
        effect: { returned },
      });
      await store.turns.seal(turn.tenant, turn.turnId, FAILED);
      const ref = compensateStep(turn, 'a');
      expect(await store.compensations.loadEffect(ref, 'a')).toEqual({
        conversationId: turn.conversationId,
        endUser: null,
        toolName: 'lookup',
        arguments: '{}',
        output: returned,
        known: true,
      });
      await expect(store.compensations.loadEffect(ref, 'b')).rejects.toEqual(
        refusal('store_rolled_back'),
      );
    },
  );

  test('is a step for each effect, after the steps of the turn', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a', 'b');
    expect(await beginCompensation(store, compensateStep(turn, 'b'))).toEqual(OPEN);
    await store.compensations.settle(compensateStep(turn, 'b'), null);
    expect(await effectsOf(turn)).toEqual(['a']);
    const after = ['compensate:b'];
    expect(await beginCompensation(store, compensateStep(turn, 'a'), after)).toEqual(OPEN);
    await store.compensations.settle(compensateStep(turn, 'a'), ERROR);
    expect(await effectsOf(turn)).toEqual([]);
    const steps = await store.turns.steps(turn.tenant, turn.turnId);
    const tool = { name: 'lookup', policy: null, outcome: null };
    expect(steps.slice(3)).toMatchObject([
      {
        key: 'compensate:b',
        kind: 'compensate',
        status: 'completed',
        tool: { callId: 'b', ...tool },
        error: null,
      },
      {
        key: 'compensate:a',
        kind: 'compensate',
        status: 'failed',
        tool: { callId: 'a', ...tool },
        error: ERROR,
      },
    ]);
  });

  test('does not begin an effect before the one that comes first is settled', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a', 'b');
    await beginCompensation(store, compensateStep(turn, 'b'));
    const early = beginCompensation(store, compensateStep(turn, 'a'), ['compensate:b']);
    await expect(early).rejects.toEqual(refusal('store_rolled_back'));
  });

  test('is taken over by a later attempt, and by no earlier one', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    const [first, second, third] = [1, 2, 3].map((n) => compensateStep(turn, 'a', n)) as [
      ReturnType<typeof compensateStep>,
      ReturnType<typeof compensateStep>,
      ReturnType<typeof compensateStep>,
    ];
    await beginCompensation(store, second);
    await expect(beginCompensation(store, first)).rejects.toEqual(refusal('step_fenced'));
    expect(await beginCompensation(store, third)).toEqual({ state: 'open', earlierAttempts: 1 });
    for (const zombie of [first, second]) {
      const settled = store.compensations.settle(zombie, null);
      await expect(settled).rejects.toEqual(refusal('step_fenced'));
    }
    await store.compensations.settle(third, null);
    await expect(store.compensations.settle(second, ERROR)).rejects.toEqual(refusal('step_fenced'));
    expect(await beginCompensation(store, compensateStep(turn, 'a', 4))).toEqual(DONE);
  });

  test('is settled once: a repeat changes nothing', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    const ref = compensateStep(turn, 'a');
    await beginCompensation(store, ref);
    await store.compensations.settle(ref, null);
    const before = await rowsOf(database, turn.tenant);
    await store.compensations.settle(ref, null);
    await store.compensations.settle(ref, ERROR);
    expect(await beginCompensation(store, ref)).toEqual(DONE);
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('leaves the steps of the turn to nobody', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    const before = await rowsOf(database, turn.tenant);
    const late = beginTool(store, toolStep(turn, 'a', 2), 'a', true);
    await expect(late).rejects.toEqual(refusal('turn_sealed'));
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('of a turn that the store does not have is refused', async () => {
    const { store } = database;
    const gone = { ...(await newTurn(store)), turnId: '00000000-0000-4000-8000-000000000000' };
    const refused = refusal('turn_not_found');
    await expect(effectsOf(gone)).rejects.toEqual(refused);
    await expect(beginCompensation(store, compensateStep(gone, 'a'))).rejects.toEqual(refused);
    await expect(store.compensations.close(gone.tenant, gone.turnId)).rejects.toEqual(refused);
  });
}

export function closing(database: TestDatabase): void {
  const compensationOf = async ({ tenant, turnId }: TurnAt) =>
    (await database.store.turns.get(tenant, turnId)).compensation;

  test('is refused while an effect is not settled', async () => {
    const { compensations } = database.store;
    const turn = await failedTurn(database.store, 'a');
    const close = () => compensations.close(turn.tenant, turn.turnId);
    await expect(close()).rejects.toEqual(refusal('store_rolled_back'));
    await beginCompensation(database.store, compensateStep(turn, 'a'));
    await expect(close()).rejects.toEqual(refusal('store_rolled_back'));
    await compensations.settle(compensateStep(turn, 'a'), ERROR);
    await close();
    await close();
    expect(await compensationOf(turn)).toBe('closed');
    const sealed = await database.store.turns.seal(turn.tenant, turn.turnId, FAILED);
    expect(sealed).toMatchObject({ compensate: null });
  });

  test('leaves what the steps came to, for a workflow that is reset', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    await beginCompensation(store, compensateStep(turn, 'a'));
    await store.compensations.settle(compensateStep(turn, 'a'), null);
    await store.compensations.close(turn.tenant, turn.turnId);
    expect(await beginCompensation(store, compensateStep(turn, 'a', 2))).toEqual(DONE);
    expect(await store.compensations.effects(turn.tenant, turn.turnId)).toEqual([]);
  });

  test('counts those attempts that undo something, and not who gives it up', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    const begin = (n: number, maxAttempts: number) =>
      store.compensations.begin({
        ...compensateStep(turn, 'a', n),
        after: [],
        callId: 'a',
        maxAttempts,
      });
    for (const earlierAttempts of [0, 1, 2, 2])
      expect(await begin(earlierAttempts + 1, 2)).toEqual({ state: 'open', earlierAttempts });
    expect(await begin(4, 0)).toEqual({ state: 'open', earlierAttempts: 2 });
    const steps = await store.turns.steps(turn.tenant, turn.turnId);
    expect(steps.at(-1)).toMatchObject({ key: 'compensate:a', attempts: 2 });
  });

  const LOST = { reason: 'workflow_lost', message: 'Terminated.' };

  test('over effects that are left says so of each, once', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a', 'b', 'c');
    await beginCompensation(store, compensateStep(turn, 'c'));
    await store.compensations.settle(compensateStep(turn, 'c'), null);
    await beginCompensation(store, compensateStep(turn, 'b'));
    const abandon = () => store.compensations.abandon(turn.tenant, turn.turnId, LOST);
    expect(await abandon()).toBe(2);
    expect(await compensationOf(turn)).toBe('closed');
    const steps = await store.turns.steps(turn.tenant, turn.turnId);
    const ends = steps.slice(4).map(({ key, status, error }) => [key, status, error]);
    expect(Object.fromEntries(ends.map(([key, ...end]) => [key, end]))).toEqual({
      'compensate:c': ['completed', null],
      'compensate:b': ['closed', LOST],
      'compensate:a': ['closed', LOST],
    });
    const before = await rowsOf(database, turn.tenant);
    expect(await abandon()).toBe(0);
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('over an attempt under way refuses what it writes', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a', 'b');
    await beginCompensation(store, compensateStep(turn, 'b'));
    await store.compensations.abandon(turn.tenant, turn.turnId, LOST);
    const before = await rowsOf(database, turn.tenant);
    const sealed = refusal('turn_sealed');
    const zombie = compensateStep(turn, 'b');
    await expect(store.compensations.settle(zombie, null)).rejects.toEqual(sealed);
    for (const ref of [compensateStep(turn, 'b', 2), compensateStep(turn, 'a', 2)])
      await expect(beginCompensation(store, ref)).rejects.toEqual(sealed);
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });
}
