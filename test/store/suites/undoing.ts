import { expect, test } from 'vitest';
import type { AssistantDefinition } from '../../../src/contracts/assistant.ts';
import type { Effect } from '../../../src/contracts/store.ts';
import type { Ending } from '../../../src/contracts/turn.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  CLERK,
  FAILED,
  answer,
  attemptOf,
  beginCompensation,
  beginRespond,
  beginTool,
  callItem,
  compensateStep,
  failedTurn,
  failure,
  itemsOf,
  newPlace,
  newTurn,
  response,
  toolResult,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly, rowsOf } from '../inspect.ts';
import {
  compensationOf,
  effectsOf,
  ERROR,
  notesOf,
  request,
  seal,
  turnAfterCall,
  undoAll,
} from '../undoings.ts';

const COMPLETED: Ending = { status: 'completed' };
const CANCELLED: Ending = { status: 'cancelled' };
const EXPIRED: Ending = { status: 'expired' };

export function asking(database: TestDatabase): void {
  const endings: Ending[] = [
    COMPLETED,
    CANCELLED,
    EXPIRED,
    { status: 'incomplete', reason: 'max_rounds' },
  ];

  test.each(endings)('has a turn undone that has ended as $status, once', async (ending) => {
    const turn = await turnAfterCall(database);
    await seal(database, turn, ending);
    expect(await request(database, turn)).toMatchObject({ compensation: 'requested' });
    const before = await rowsOf(database, turn.tenant);
    expect(await request(database, turn)).toMatchObject({ compensation: 'requested' });
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
    expect(await effectsOf(database, turn)).toEqual(['a']);
    const { tenant, turnId } = turn;
    expect(await seal(database, turn, COMPLETED)).toMatchObject({ compensate: { tenant, turnId } });
    await undoAll(database, turn);
    expect(await request(database, turn)).toMatchObject({ compensation: 'closed' });
  });

  test.each(endings)('has a turn undone as it ends as $status', async (ending) => {
    const turn = await turnAfterCall(database);
    expect(await request(database, turn)).toMatchObject({
      ...{ state: 'accepted', compensation: 'requested' },
    });
    expect(await compensationOf(database, turn)).toBe('requested');
    const { tenant, turnId } = turn;
    expect(await seal(database, turn, ending)).toMatchObject({ compensate: { tenant, turnId } });
    expect(await compensationOf(database, turn)).toBe('requested');
  });

  test('of a turn that does nothing is forgotten as it ends', async () => {
    const turn = await newTurn(database.store);
    expect(await request(database, turn)).toMatchObject({ compensation: 'requested' });
    await seal(database, turn, COMPLETED);
    expect(await compensationOf(database, turn)).toBeNull();
  });

  test('changes nothing where nothing took effect', async () => {
    const turn = await newTurn(database.store);
    await seal(database, turn, COMPLETED);
    const before = await rowsOf(database, turn.tenant);
    expect(await request(database, turn)).toMatchObject({ compensation: null });
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('while the turn ends is heard, whoever comes first', async () => {
    for (let times = 0; times < 10; times += 1) {
      const turn = await turnAfterCall(database);
      await Promise.all([
        request(database, turn),
        seal(database, turn, COMPLETED),
        request(database, turn),
      ]);
      expect(await compensationOf(database, turn)).toBe('requested');
      expect(await notesOf(database, turn)).toHaveLength(1);
    }
  });

  test('for a turn that is not there is refused', async () => {
    const gone = { ...(await newPlace(database.store)), turnId: crypto.randomUUID() };
    await expect(request(database, gone)).rejects.toEqual(failure('turn_not_found'));
  });

  const assistants: [AssistantDefinition['compensateOn'], Ending, 'requested' | null][] = [
    [['cancelled'], CANCELLED, 'requested'],
    [['cancelled'], EXPIRED, null],
    [['expired', 'cancelled'], EXPIRED, 'requested'],
    [['expired', 'cancelled'], COMPLETED, null],
    [[], FAILED, 'requested'],
  ];

  test.each(assistants)(
    'is what an assistant may do for itself: on %j, a turn that ends as %j',
    async (compensateOn, ending, compensation) => {
      const { store } = database;
      const place = await newPlace(store);
      const definition = { ...CLERK, instructions: 'nul \u0000', compensateOn: compensateOn ?? [] };
      await store.assistants.update(place.tenant, place.assistantId, definition);
      const turn = await newTurn(store, place);
      await beginRespond(store, attemptOf(turn));
      await store.steps.settleResponse(attemptOf(turn), response([callItem('a')]));
      await beginTool(store, toolStep(turn, 'a'), 'a', true);
      await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
      await seal(database, turn, ending);
      expect(await compensationOf(database, turn)).toBe(compensation);
    },
  );
}

export function unknownEffects(database: TestDatabase): void {
  /** `a` ended as unknown, the turn is sealed over `b`. */
  async function failedOverUnknown(compensateUnknown: boolean): Promise<TurnAt> {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b');
    for (const callId of ['a', 'b'])
      await beginTool(store, toolStep(turn, callId), callId, true, compensateUnknown);
    const unknown = { outcome: 'unknown', error: ERROR, effect: null } as const;
    await store.steps.settleTool(toolStep(turn, 'a'), { ...toolResult('a'), ...unknown });
    await seal(database, turn, FAILED);
    return turn;
  }

  test('are undone where the tool says that this is safe, without an output', async () => {
    const turn = await failedOverUnknown(true);
    expect(await effectsOf(database, turn)).toEqual(['b', 'a']);
    for (const callId of ['a', 'b']) {
      const ref = compensateStep(turn, callId);
      expect(await database.store.compensations.loadEffect(ref, callId)).toMatchObject({
        output: null,
        known: false,
      });
    }
    await expectSealedSoundly(database, turn);
    await undoAll(database, turn);
    expect(await outcomesOf(turn)).toEqual([
      ['a', 'undone', false],
      ['b', 'undone', false],
    ]);
  });

  test('are reported and never undone otherwise', async () => {
    const turn = await failedOverUnknown(false);
    expect(await compensationOf(database, turn)).toBeNull();
    expect(await request(database, turn)).toMatchObject({ compensation: null });
    expect(await outcomesOf(turn)).toEqual([
      ['a', 'unknown', false],
      ['b', 'unknown', false],
    ]);
  });

  const outcomesOf = async ({ tenant, turnId }: TurnAt) => {
    const effects = await database.store.compensations.outcomes(tenant, turnId);
    return effects.map(({ callId, outcome, known }) => [callId, outcome, known]);
  };

  test('are told of beside those that are known, call by call', async () => {
    const { store } = database;
    const turn = await turnAfterCall(database, 'b', 'c', 'd');
    const failed = { outcome: 'failed', error: ERROR, effect: null } as const;
    const unusable = { reason: 'invalid_output', message: 'a\u0000b' };
    for (const [callId, more] of [
      ['b', {}],
      ['c', failed],
      ['d', { ...failed, error: unusable }],
    ] as const) {
      await beginTool(store, toolStep(turn, callId), callId);
      await store.steps.settleTool(toolStep(turn, callId), { ...toolResult(callId), ...more });
    }
    expect(await outcomesOf(turn)).toEqual([
      ['a', 'done', true],
      ['b', 'done', true],
      ['d', 'done', true],
    ]);
    await seal(database, turn, FAILED);
    expect((await outcomesOf(turn))[0]).toEqual(['a', 'undoing', true]);
    await undoAll(database, turn, ERROR);
    const [a] = await store.compensations.outcomes(turn.tenant, turn.turnId);
    const effect: Effect = {
      callId: 'a',
      tool: 'lookup',
      arguments: '{}',
      outcome: 'not_undone',
      known: true,
    };
    expect(a).toEqual(effect);
  });
}

export function notes(database: TestDatabase): void {
  test('tell of what is unknown and of what is being undone as the turn ends', async () => {
    const turn = await turnAfterCall(database, 'b', 'c');
    await beginTool(database.store, toolStep(turn, 'b'), 'b', true);
    await seal(database, turn, FAILED);
    const [note, ...others] = await notesOf(database, turn);
    expect(note).toMatch(/being undone.*it is unknown whether it took effect/);
    expect(others).toEqual([]);
    expect((await itemsOf(database.store, turn)).map(({ type }) => type)).toEqual([
      'message',
      ...Array<string>(3).fill('function_call'),
      ...Array<string>(3).fill('function_call_output'),
      'message',
    ]);
    await expectSealedSoundly(database, turn);
  });

  test('are left out where the items say it all', async () => {
    const { store } = database;
    const kept = await turnAfterCall(database);
    await seal(database, kept, CANCELLED);
    expect(await notesOf(database, kept)).toEqual([]);
    const answered = await turnWithCalls(store, 'a');
    await beginTool(store, toolStep(answered, 'a'), 'a');
    const unknown = { outcome: 'unknown', error: ERROR, effect: null } as const;
    await store.steps.settleTool(toolStep(answered, 'a'), { ...toolResult('a'), ...unknown });
    await seal(database, answered, COMPLETED);
    expect(await notesOf(database, answered)).toEqual([]);
  });

  test('tell what was undone and what was not, once, though the closing is repeated', async () => {
    const turn = await failedTurn(database.store, 'a', 'b');
    await beginCompensation(database.store, compensateStep(turn, 'b'));
    await database.store.compensations.settle(compensateStep(turn, 'b'), ERROR);
    await undoAll(database, turn);
    const before = await rowsOf(database, turn.tenant);
    const { compensations } = database.store;
    await compensations.close(turn.tenant, turn.turnId);
    await compensations.abandon(turn.tenant, turn.turnId, ERROR);
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
    const [, closing, ...others] = await notesOf(database, turn);
    expect(closing).toMatch(/was undone.*could not be undone/);
    expect(others).toEqual([]);
  });

  test('tell of what was left when the compensation was given up, once, by however many', async () => {
    const turn = await failedTurn(database.store, 'a', 'b');
    const abandon = () => database.store.compensations.abandon(turn.tenant, turn.turnId, ERROR);
    expect((await Promise.all([abandon(), abandon()])).sort()).toEqual([0, 2]);
    const [, closing, ...others] = await notesOf(database, turn);
    expect(closing?.match(/could not be undone/g)).toHaveLength(2);
    expect(others).toEqual([]);
  });

  test('stand behind the places of a turn that runs meanwhile', async () => {
    const { store } = database;
    const failed = await failedTurn(store, 'a');
    const running = await newTurn(store, failed);
    await beginRespond(store, attemptOf(running));
    const calls = [callItem('c'), callItem('d')];
    await store.steps.settleResponse(attemptOf(running), response(calls));
    await undoAll(database, failed);
    for (const callId of ['d', 'c']) {
      await beginTool(store, toolStep(running, callId), callId);
      await store.steps.settleTool(toolStep(running, callId), toolResult(callId));
    }
    const second = attemptOf(running, 'respond:2');
    await beginRespond(store, second, ['tool:c', 'tool:d']);
    const { items } = await store.steps.loadContext(second);
    const story = items.map(({ item }) => item['call_id'] ?? item['role']);
    expect(story).toEqual(['user', 'a', 'a', 'developer', 'user', 'c', 'd', 'c', 'd', 'developer']);
    await store.steps.settleResponse(second, response([answer('Done.')]));
    await seal(database, running, COMPLETED);
    await expectSealedSoundly(database, running);
  });

  test('of a compensation asked for later say so at once', async () => {
    const turn = await turnAfterCall(database);
    await seal(database, turn, COMPLETED);
    await request(database, turn);
    expect((await notesOf(database, turn))[0]).toContain('being undone');
  });
}
