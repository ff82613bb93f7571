import { expect, test } from 'vitest';
import { openStore } from '../../src/store/postgres.ts';
import { describePostgres } from '../support/stores.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { beginTool, toolResult, toolStep, turnWithCalls } from './fixtures.ts';

describePostgres('a tool step', (database) => {
  test('is claimed, with its call, and settled in two round trips', async () => {
    const proxy = await startTcpProxy(new URL(database.url).host);
    const store = await openStore({ connectionString: proxy.through(database.url), poolSize: 1 });
    try {
      const turn = await turnWithCalls(store, 'a', 'b');
      for (const callId of ['a', 'b']) {
        const before = proxy.roundTrips();
        await beginTool(store, toolStep(turn, callId), callId, true);
        await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
        expect(proxy.roundTrips() - before).toBe(2);
      }
    } finally {
      await store.close();
      await proxy.stop();
    }
  });
});
