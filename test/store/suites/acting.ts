import { describe, expect, test } from 'vitest';
import type { ActionKind } from '../../../src/contracts/actions.ts';
import type { Decision, Store, Submission, Turn } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  attemptOf,
  beginRespond,
  beginTool,
  callItem,
  claimTool,
  failure,
  freshTenant,
  newTurn,
  outputsOf,
  readEvents,
  refusal,
  response,
  story,
  toolResult,
  toolStep,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly, rowsOf } from '../inspect.ts';

const TIMEOUT_MS = 3_600_000;
const PARAMETERS = { type: 'object', properties: { amount: { type: 'number' } } };

const answered = (callId: string, output = 'yes'): Decision => ({
  ...{ callId, hash: `answered ${JSON.stringify(output)}`, state: 'answered' },
  output,
});
const approved = (callId: string, amount?: number): Decision => ({
  ...{ callId, hash: `approved ${amount}`, state: 'approved' },
  editedArguments: amount === undefined ? null : { amount },
});
const denied = (callId: string, reason: string | null = null): Decision => ({
  ...{ callId, hash: `denied ${reason}`, state: 'denied', reason, compensate: false },
  output: 'denied',
});

/** A turn that waits for these calls. */
export async function waitingTurn(
  store: Store,
  calls: Record<string, ActionKind>,
  timeoutMs = TIMEOUT_MS,
): Promise<TurnAt> {
  const turn = await newTurn(store);
  await store.turns.markStarted(turn.tenant, turn.turnId);
  const ref = attemptOf(turn);
  await beginRespond(store, ref);
  const actions = Object.entries(calls).map(([callId, kind]) => {
    return { callId, kind, name: 'lookup', arguments: {} };
  });
  const toolDefinitions = [{ type: 'function', name: 'lookup', parameters: PARAMETERS }];
  const waiting = { actions, timeoutMs };
  const items = Object.keys(calls).map(callItem);
  await store.steps.settleResponse(ref, response(items, { toolDefinitions, waiting }));
  return turn;
}

function submit(
  store: Store,
  { tenant, turnId }: TurnAt,
  decisions: Decision[],
  more: Partial<Submission> = {},
): Promise<Turn> {
  return store.actions.submit(tenant, turnId, { decisions, partial: false, ...more });
}

const PARTIAL = { partial: true };

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
      const late = await waitingTurn(store, { a: 'outputs' });
      await database.sql('UPDATE turnkeeper.turns SET deadline = now() WHERE id = $1', [
        late.turnId,
      ]);
      const sealed = await waitingTurn(store, { a: 'outputs' });
      await store.turns.seal(sealed.tenant, sealed.turnId, { status: 'cancelled' });
      for (const turn of [busy, late, sealed]) {
        const before = await rowsOf(database, turn.tenant);
        await expect(submit(store, turn, [answered('a')])).rejects.toEqual(
          failure('turn_not_waiting'),
        );
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

  describe('at the same time', () => {
    test('are decided once, by whoever comes first', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'approval' });
      const tries = Array.from({ length: 8 }, (_, n) =>
        submit(store, turn, [n % 2 ? approved('a') : denied('a')]).then(
          () => n % 2,
          (error: unknown) => error,
        ),
      );
      const outcomes = await Promise.all(tries);
      const winner = (await store.actions.list(turn.tenant, turn.turnId))[0]?.state;
      const side = winner === 'approved' ? 1 : 0;
      expect(outcomes.filter((outcome) => outcome === side)).toHaveLength(4);
      const refused = outcomes.filter((outcome) => outcome !== side);
      expect(refused).toEqual(Array(4).fill(failure('submission_conflict')));
      expect(await outputsOf(store, turn)).toHaveLength(side === 1 ? 0 : 1);
    });

    test('are decided or left open when their turn is sealed, and never both', async () => {
      const { store } = database;
      for (let tries = 0; tries < 5; tries++) {
        const turn = await waitingTurn(store, { a: 'outputs', b: 'outputs' });
        const [submitted] = await Promise.allSettled([
          submit(store, turn, [answered('a'), answered('b')]),
          store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' }),
        ]);
        const states = (await store.actions.list(turn.tenant, turn.turnId)).map((a) => a.state);
        const expected = submitted.status === 'fulfilled' ? 'answered' : 'closed';
        expect(states).toEqual([expected, expected]);
        if (submitted.status === 'rejected')
          expect(submitted.reason).toEqual(failure('turn_not_waiting'));
        await expectSealedSoundly(database, turn);
      }
    });
  });

  describe('that nobody has read', () => {
    const AGE = { olderThanMs: 5_000, everyMs: 60_000 };
    const isUnread = async ({ turnId }: TurnAt) => {
      const found = await database.store.sweep.unreadSubmissions(AGE, 1_000);
      return found.some((turn) => turn.turnId === turnId);
    };
    const age = ({ turnId }: TurnAt) =>
      database.sql(
        `UPDATE turnkeeper.turns SET submitted_at = submitted_at - interval '10 s', woken_at = NULL WHERE id = $1`,
        [turnId],
      );

    const ageSteps = ({ turnId }: TurnAt) =>
      database.sql(
        `UPDATE turnkeeper.steps SET started_at = started_at - interval '20 s' WHERE turn_id = $1`,
        [turnId],
      );

    test('are found once in a while, until the turn has gone on', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs', b: 'approval', c: 'outputs' });
      await age(turn);
      expect(await isUnread(turn)).toBe(false);
      await submit(store, turn, [answered('a')], PARTIAL);
      await age(turn);
      expect(await isUnread(turn), 'there is nothing to go on with').toBe(false);
      await submit(store, turn, [approved('b')], PARTIAL);
      expect(await isUnread(turn), 'it has five seconds').toBe(false);
      await age(turn);
      expect(await isUnread(turn)).toBe(true);
      expect(await isUnread(turn), 'it was handed out').toBe(false);
      await beginTool(store, toolStep(turn, 'b'), 'b');
      await age(turn);
      expect(await isUnread(turn)).toBe(false);
      await submit(store, turn, [answered('c')]);
      await age(turn);
      await ageSteps(turn);
      expect(await isUnread(turn), 'a tool is still running').toBe(false);
      await store.steps.settleTool(toolStep(turn, 'b'), toolResult('b'));
      expect(await isUnread(turn)).toBe(true);
      await beginRespond(store, attemptOf(turn, 'respond:2'));
      await age(turn);
      expect(await isUnread(turn)).toBe(false);
    });

    test('are found also when a tool was begun after the last of them', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'approval', b: 'approval' });
      await ageSteps(turn);
      await submit(store, turn, [approved('a')], PARTIAL);
      await submit(store, turn, [denied('b')]);
      await beginTool(store, toolStep(turn, 'a'), 'a');
      await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
      await age(turn);
      expect(await isUnread(turn)).toBe(true);
    });

    test('are nobody’s business any more once the turn has ended', async () => {
      const { store } = database;
      const turn = await waitingTurn(store, { a: 'outputs' });
      await submit(store, turn, [answered('a')]);
      await age(turn);
      await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
      expect(await isUnread(turn)).toBe(false);
    });
  });
}
