import { describe, expect, test } from 'vitest';
import type { Decision, Submission } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  TIMEOUT_MS,
  PARAMETERS,
  answered,
  approved,
  denied,
  waitingTurn,
  submit,
  PARTIAL,
} from '../actions.ts';
import {
  RESPOND,
  attemptOf,
  claimTool,
  failure,
  freshTenant,
  newTurn,
  outputsOf,
  readEvents,
  refusal,
  response,
  story,
  toolStep,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';
import { waiting } from '../queues.ts';

export function acting(database: TestDatabase): void {
  describe('of a model call that asks for them', () => {
    test('are stored with its settlement: the turn waits, and its own time stands still', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval' });
      const { tenant, turnId } = turn;
      const { status, deadline } = await store.turns.get(tenant, turnId);
      expect(status).toBe('requires_action');
      const actions = await store.actions.list(tenant, turnId);
      expect(actions).toMatchObject([
        { callId: 'a', name: 'lookup', kind: 'outputs', state: 'pending', arguments: {} },
        { callId: 'b', kind: 'approval', editedArguments: null, reason: null, decidedAt: null },
      ]);
      for (const action of actions) expect(action.deadline).toEqual(deadline);
      const { waitMs, timeLeftMs } = await store.actions.read(tenant, turnId, ['a', 'b']);
      expect(waitMs).toBeGreaterThan(TIMEOUT_MS - 60_000);
      expect(timeLeftMs).toBeLessThanOrEqual(600_000);
      expect(await story(store, turn)).toEqual([
        'turn.started',
        `${RESPOND} started`,
        `${RESPOND} completed`,
        'turn.requires_action',
      ]);
      expect(await store.actions.parametersOf(tenant, turnId, 'a')).toEqual(PARAMETERS);
      expect(await store.actions.parametersOf(tenant, turnId, 'x')).toBeNull();
    });

    test('are stored once, when the settlement comes twice', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs' });
      const before = await rowsOf(database, turn.tenant);
      const waiting = { actions: [], timeoutMs: 1 };
      await store.steps.settleResponse(attemptOf(turn), response([], { waiting }));
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
    });

    test('are unknown to a store that came from an older backup', async () => {
      const { store } = database;
      const turn = await newTurn(store);
      await expect(store.actions.read(turn.tenant, turn.turnId, ['a'])).rejects.toEqual(
        refusal('store_rolled_back'),
      );
    });
  });

  describe('that are decided', () => {
    test('let the turn go on with the last of them, for as long as it had left', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval', c: 'approval' });
      const { tenant, turnId } = turn;
      const { timeLeftMs } = await store.actions.read(tenant, turnId, ['a']);
      const first = await submit(store, turn, [approved('b', 5)], PARTIAL);
      expect(first.status).toBe('requires_action');
      const last = await submit(store, turn, [answered('a'), denied('c', 'No.')]);
      expect(last.status).toBe('in_progress');
      const after = await store.actions.read(tenant, turnId, ['a', 'b', 'c']);
      expect(after).toMatchObject({
        states: { a: 'answered', b: 'approved', c: 'denied' },
        waitMs: null,
      });
      expect(Math.abs(after.timeLeftMs - timeLeftMs)).toBeLessThan(30_000);
      expect(await outputsOf(store, turn)).toEqual([
        ['a', 'yes'],
        ['c', 'denied'],
      ]);
      const { call } = await claimTool(store, toolStep(turn, 'b'), 'b');
      expect(call).toMatchObject({
        item: { arguments: '{}' },
        editedArguments: { amount: 5 },
      });
      expect(await store.actions.list(tenant, turnId)).toMatchObject([
        { state: 'answered' },
        { state: 'approved', editedArguments: { amount: 5 } },
        { state: 'denied', reason: 'No.' },
      ]);
      const decided = (await readEvents(store, turn)).filter(
        ({ event }) => event.type === 'turn.action_decided',
      );
      expect(decided.map(({ event }) => event)).toEqual([
        { type: 'turn.action_decided', call_id: 'b', decision: 'approved', edited: true },
        { type: 'turn.action_decided', call_id: 'a', decision: 'answered' },
        { type: 'turn.action_decided', call_id: 'c', decision: 'denied' },
      ]);
    });

    test('are the same when they come again, also once the turn has gone on or ended', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval' });
      const decisions = [answered('a'), approved('b')];
      await submit(store, turn, decisions);
      const before = await rowsOf(database, turn.tenant);
      expect((await submit(store, turn, decisions)).status).toBe('in_progress');
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
      await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
      expect((await submit(store, turn, decisions)).status).toBe('cancelled');
    });

    test('keep whatever JSON can say', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval' });
      const odd = 'nul \u0000, quote " and \u2028';
      const editedArguments = { text: odd };
      const edited = { callId: 'b', hash: 'x', state: 'approved', editedArguments } as const;
      await submit(store, turn, [answered('a', odd), edited]);
      expect(await outputsOf(store, turn)).toEqual([['a', odd]]);
      expect(await store.actions.list(turn.tenant, turn.turnId)).toMatchObject([
        {},
        { editedArguments: { text: odd } },
      ]);
    });
  });

  describe('change nothing', () => {
    test.each<[string, Decision[], Partial<Submission>, unknown]>([
      [
        'with an unknown call',
        [answered('a'), approved('b'), approved('x')],
        {},
        'action_not_found',
      ],
      ['with a call left out', [answered('a')], {}, 'actions_missing'],
      ['with an approval of what waits for an output', [approved('a')], PARTIAL, 'invalid_request'],
      ['with an output of what waits for an approval', [answered('b')], PARTIAL, 'invalid_request'],
    ])('%s', async (_, decisions, more, code) => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval' });
      const before = await rowsOf(database, turn.tenant);
      await expect(submit(store, turn, decisions, more)).rejects.toEqual(failure(String(code)));
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
    });

    test('and the field is named whose call waits for something else', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval', c: 'approval' });
      for (const [decision, field] of [
        [approved('a'), 'approvals[1]'],
        [answered('c'), 'outputs[0]'],
      ] as const) {
        const { callId } = decision;
        const submitting = submit(store, turn, [approved('b'), decision], PARTIAL);
        await expect(submitting).rejects.toMatchObject({
          message: expect.stringContaining(field) as string,
          details: { field, callId },
        });
      }
    });

    test.each<[string, Decision[]]>([
      ['another output', [answered('a', 'no')]],
      ['another decision', [answered('a'), denied('b')]],
      ['another edit', [answered('a'), approved('b', 6)]],
    ])('when they contradict what was decided: %s', async (_, decisions) => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval', c: 'outputs' });
      await submit(store, turn, [answered('a'), approved('b', 5)], PARTIAL);
      const before = await rowsOf(database, turn.tenant);
      const again = submit(store, turn, [...decisions, answered('c')]);
      await expect(again).rejects.toEqual(failure('submission_conflict'));
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
    });

    test('when the turn waits for nothing, has waited too long, or was sealed meanwhile', async () => {
      const { store } = database;
      const busy = await newTurn(store);
      const queued = await waiting(store, busy, 'Later.');
      const late = await waitingTurn(store, { a: 'outputs' });
      await database.sql('UPDATE turnkeeper.turns SET deadline = now() WHERE id = $1', [
        late.turnId,
      ]);
      const sealed = await waitingTurn(store, { a: 'outputs' });
      await store.turns.seal(sealed.tenant, sealed.turnId, { status: 'cancelled' });
      for (const [turn, why] of [
        [busy, 'it is in_progress'],
        [queued, 'it waits in the queue'],
        [late, 'has waited until its deadline'],
        [sealed, 'it is cancelled'],
      ] as const) {
        const before = await rowsOf(database, turn.tenant);
        await expect(submit(store, turn, [answered('a')])).rejects.toMatchObject({
          code: 'turn_not_waiting',
          message: expect.stringContaining(why) as string,
        });
        expect(await rowsOf(database, turn.tenant)).toEqual(before);
      }
    });

    test('when they come from another tenant', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs' });
      const stranger = { ...turn, tenant: freshTenant() };
      await expect(submit(store, stranger, [answered('a')])).rejects.toEqual(
        failure('turn_not_found'),
      );
    });
  });

  test('that nobody has approved are not begun, whatever a worker makes of them', async () => {
    const { store } = database;
    const turn = await waitingTurn(store, { a: 'approval' });
    const before = await rowsOf(database, turn.tenant);
    await expect(claimTool(store, toolStep(turn, 'a'), 'a')).rejects.toEqual(
      refusal('step_fenced'),
    );
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });
}
