import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import { appendOne, attemptOf, beginRespond, newTurn, response, type TurnAt } from '../fixtures.ts';

const LONG = 30_000;

export function watching(database: TestDatabase): void {
  async function watchedTurn() {
    const turn = await newTurn(database.store);
    await beginRespond(database.store, attemptOf(turn));
    return { turn, watch: database.store.events.watch(turn.tenant, turn.turnId) };
  }

  const WRITES: Record<string, (turn: TurnAt) => Promise<unknown>> = {
    'a delta': (turn) => appendOne(database.store, attemptOf(turn), 0, 'x'),
    'the end of a reply': (turn) =>
      database.store.steps.settleResponse(attemptOf(turn), response()),
    'a failed step': (turn) =>
      database.store.steps.settleFailure(attemptOf(turn), { reason: 'x', message: 'x' }),
    'a rewind': (turn) =>
      beginRespond(database.store, {
        ...attemptOf(turn),
        fence: { scheduledMs: 9e12, attempt: 2 },
      }),
    'the end': ({ tenant, turnId }) =>
      database.store.turns.seal(tenant, turnId, { status: 'completed' }),
  };

  test.for(Object.entries(WRITES))('tells of %s', async ([, write]) => {
    const { turn, watch } = await watchedTurn();
    const told = watch.next(LONG);
    await write(turn);
    expect(await told).toBe(true);
  });

  test('tells once, also of what came before it was asked', async () => {
    const { turn, watch } = await watchedTurn();
    await appendOne(database.store, attemptOf(turn), 0, 'x');
    expect(await watch.next(LONG)).toBe(true);
    expect(await watch.next(0)).toBe(false);
  });

  test('tells everybody who watches', async () => {
    const { turn, watch } = await watchedTurn();
    const other = database.store.events.watch(turn.tenant, turn.turnId);
    watch.close();
    const told = other.next(LONG);
    await appendOne(database.store, attemptOf(turn), 0, 'x');
    expect(await told).toBe(true);
  });

  test('ends the wait when it is closed', async () => {
    const { watch } = await watchedTurn();
    const told = watch.next(LONG);
    watch.close();
    expect(await told).toBe(false);
  });
}
