import { DBOS } from '@dbos-inc/dbos-sdk';
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Contestant } from '../contestant.ts';
import { POOL_SIZE, stateInPostgres } from './database.ts';
import { createMessages, loadWith, saveAnswer } from './messages.ts';
import { modelCall, type ModelCall } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

const STREAM = 'deltas';

/** One for each process: workflows are registered before DBOS is launched, for all of it. */
export function dbos(): Contestant {
  const { open, ...state } = stateInPostgres();
  let pool: pg.Pool;
  let call: ModelCall;

  const turn = DBOS.registerWorkflow(
    async (conversation: string, text: string) => {
      const messages = await DBOS.runStep(() => loadWith(pool, conversation, text), {
        name: 'load',
      });
      const answer = await DBOS.runStep(
        () => call(messages, (delta) => DBOS.writeStream(STREAM, delta)),
        { name: 'respond' },
      );
      await DBOS.runStep(() => saveAnswer(pool, conversation, answer), { name: 'save' });
      await DBOS.closeStream(STREAM);
    },
    { name: 'turn' },
  );

  return {
    ...state,
    async start({ modelUrl, scratch }) {
      call = modelCall(modelUrl);
      const opened = await open(scratch);
      pool = opened.pool;
      await createMessages(pool);
      DBOS.setConfig({
        name: 'bench',
        systemDatabaseUrl: opened.url,
        systemDatabasePoolSize: POOL_SIZE,
        logLevel: 'error',
      });
      await DBOS.launch();
    },
    async runTurn(conversation, text) {
      const watch = stopwatch();
      const workflowID = randomUUID();
      const handle = await DBOS.startWorkflow(turn, { workflowID })(conversation, text);
      for await (const delta of DBOS.readStream(workflowID, STREAM)) {
        if (typeof delta === 'string') watch.delta();
      }
      await handle.getResult();
      return watch.done();
    },
    async stop() {
      await DBOS.shutdown();
      await state.stop();
    },
  };
}
