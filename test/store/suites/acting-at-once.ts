import { describe, expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import { answered, approved, denied, waitingTurn, submit, PARTIAL } from '../actions.ts';
import {
  attemptOf,
  beginRespond,
  beginTool,
  failure,
  outputsOf,
  toolResult,
  toolStep,
  type TurnAt,
} from '../fixtures.ts';
import { expectSealedSoundly } from '../inspect.ts';

export function actionsAtOnce(database: TestDatabase): void {
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
