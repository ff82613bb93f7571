import { expect, test } from 'vitest';
import { openStore } from '../../src/store/postgres.ts';
import type { Store } from '../../src/contracts/store.ts';
import { describePostgres, type TestDatabase } from '../support/stores.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import {
  beginTool,
  failedTurn,
  newTurn,
  QUESTION,
  toolResult,
  toolStep,
  turnWithCalls,
} from './fixtures.ts';

/** The store behind a proxy that counts. */
async function counting(
  { url }: TestDatabase,
  work: (store: Store, roundTrips: () => number) => Promise<void>,
): Promise<void> {
  const proxy = await startTcpProxy(new URL(url).host);
  const store = await openStore({ connectionString: proxy.through(url), poolSize: 1 });
  try {
    await work(store, () => proxy.roundTrips());
  } finally {
    await store.close();
    await proxy.stop();
  }
}

describePostgres('a tool step', (database) => {
  test('is claimed, with its call, and settled in two round trips', async () => {
    await counting(database, async (store, roundTrips) => {
      const turn = await turnWithCalls(store, 'a', 'b');
      for (const callId of ['a', 'b']) {
        const before = roundTrips();
        await beginTool(store, toolStep(turn, callId), callId, true);
        await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
        expect(roundTrips() - before).toBe(2);
      }
    });
  });
});

describePostgres('what was undone', (database) => {
  test('is told to many branches in as many round trips as to one', async () => {
    await counting(database, async (store, roundTrips) => {
      const trips: number[] = [];
      for (const branches of [1, 1, 4]) {
        const { tenant, turnId, ...place } = await failedTurn(database.store, 'a');
        const later = await newTurn(database.store, { tenant, ...place });
        const edit = { turnId: later.turnId, items: [QUESTION] };
        for (let n = 0; n < branches; n++) await database.store.turns.edit(tenant, edit);
        const before = roundTrips();
        await store.compensations.abandon(tenant, turnId, { reason: '', message: '' });
        trips.push(roundTrips() - before);
      }
      expect(trips[2]).toBe(trips[1]);
    });
  });
});
