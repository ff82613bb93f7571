import { composeClient } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';

/**
 * A backend of a test's own, in its own process, that makes a turn again and stays where the new one is accepted and
 * Temporal has not been told to start it. Writes a JSON line there with its id. Arguments: turn, what to do with it, key.
 */
const [turnId = '', what = 'retry', idempotencyKey = ''] = process.argv.slice(2);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const stay = (id: string): Promise<never> => {
  process.stdout.write(`${JSON.stringify({ turnId: id })}\n`);
  return new Promise(() => setInterval(() => undefined, 60_000));
};

const { turns } = await composeClient(loadConfig(), {
  logger: silent,
  replace: (real) => ({
    ...real,
    starter: { ...real.starter, startTurn: (input) => stay(input.turnId) },
  }),
});
if (what === 'edit') await turns.edit(turnId, { input: 'And now?', idempotencyKey });
else if (what === 'regenerate')
  await turns.regenerate(turnId, { compensate: true, idempotencyKey });
else await turns.retry(turnId, { idempotencyKey });
