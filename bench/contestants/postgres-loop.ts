import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Contestant } from '../contestant.ts';
import { databaseBytes, openPool, startDatabase, type RunningDatabase } from './database.ts';
import { createMessages, loadWith, saveAnswer } from './messages.ts';
import { modelCall, type ModelCall } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

export function postgresLoop(): Contestant {
  let database: RunningDatabase;
  let pool: pg.Pool;
  let call: ModelCall;
  return {
    async start({ modelUrl, scratch }) {
      call = modelCall(modelUrl);
      database = await startDatabase('postgres', scratch);
      pool = openPool(database.url);
      await createMessages(pool);
    },
    openConversation: () => Promise.resolve(randomUUID()),
    async runTurn(conversation, text) {
      const watch = stopwatch();
      const messages = await loadWith(pool, conversation, text);
      const answer = await call(messages, watch.delta);
      await saveAnswer(pool, conversation, answer);
      return watch.done();
    },
    processes: () => ({ database: database.pid }),
    stateBytes: () => databaseBytes(database.url),
    histories: () => Promise.resolve([]),
    async stop() {
      await pool.end();
      await database.stop();
    },
  };
}
