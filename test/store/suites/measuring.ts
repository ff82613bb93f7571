import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import { RESPOND, attemptOf, beginRespond, newTurn, type TurnAt } from '../fixtures.ts';

const CALL = { model: 'small', inputTokens: 10 };
const MINUTE_MS = 60_000;

export function measuring(database: TestDatabase): void {
  const acceptedAMinuteAgo = async (): Promise<TurnAt> => {
    const turn = await newTurn(database.store);
    await database.sql(
      "UPDATE turnkeeper.turns SET accepted_at = accepted_at - interval '1 minute' WHERE id = $1",
      [turn.turnId],
    );
    return turn;
  };

  test('a turn tells how long ago it was accepted, while it runs', async () => {
    const ref = attemptOf(await acceptedAMinuteAgo());
    await beginRespond(database.store, ref);
    const { ageMs } = await database.store.steps.loadContext(ref);
    expect(ageMs).toBeGreaterThanOrEqual(MINUTE_MS);
    expect(ageMs).toBeLessThan(2 * MINUTE_MS);
  });

  test('a turn tells how long it took once it has ended, and goes on to tell the same', async () => {
    const { tenant, turnId } = await acceptedAMinuteAgo();
    const seal = () => database.store.turns.seal(tenant, turnId, { status: 'completed' });
    const first = await seal();
    expect(first?.durationMs).toBeGreaterThanOrEqual(MINUTE_MS);
    expect(first?.durationMs).toBeLessThan(2 * MINUTE_MS);
    expect(await seal()).toMatchObject({ won: false, durationMs: first?.durationMs });
  });

  test('calls that are given up are told once, by whoever gives them up', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const [first, second] = [attemptOf(turn), attemptOf(turn, RESPOND, 2)];
    await beginRespond(store, first);
    expect(await store.steps.recordIntent(first, CALL)).toMatchObject({ abandonedCalls: 0 });
    await beginRespond(store, second);
    expect(await store.steps.recordIntent(second, CALL)).toMatchObject({ abandonedCalls: 1 });
    const seal = () => store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
    expect(await seal()).toMatchObject({ abandonedCalls: [{ model: 'small' }] });
    expect(await seal()).toMatchObject({ abandonedCalls: [] });
  });
}
