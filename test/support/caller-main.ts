import { composeClient } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';

/**
 * A backend of a test's own, in its own process, that starts a turn and stays where the turn is accepted but its workflow
 * is not yet started. Writes a JSON line with the turn's id there. Arguments: conversation, assistant, key.
 */
const [conversationId = '', assistantId = '', idempotencyKey = ''] = process.argv.slice(2);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const client = await composeClient(loadConfig(), {
  logger: silent,
  replace: (real) => ({
    ...real,
    starter: {
      ...real.starter,
      startTurn({ turnId }) {
        process.stdout.write(`${JSON.stringify({ turnId })}\n`);
        return new Promise<never>(() => setInterval(() => undefined, 60_000));
      },
    },
  }),
});
await client.turns.start({ conversationId, assistantId, input: 'Are you there?', idempotencyKey });
