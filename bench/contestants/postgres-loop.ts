import type pg from 'pg';
import type { Contestant } from '../contestant.ts';
import { stateInPostgres } from './database.ts';
import { createMessages, loadWith, saveAnswer } from './messages.ts';
import { modelCall, type ModelCall } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

export function postgresLoop(): Contestant {
  const { open, ...state } = stateInPostgres();
  let pool: pg.Pool;
  let call: ModelCall;
  return {
    ...state,
    async start({ modelUrl, scratch }) {
      call = modelCall(modelUrl);
      ({ pool } = await open(scratch));
      await createMessages(pool);
    },
    async runTurn(conversation, text) {
      const watch = stopwatch();
      const messages = await loadWith(pool, conversation, text);
      const answer = await call(messages, watch.delta);
      await saveAnswer(pool, conversation, answer);
      return watch.done();
    },
  };
}
