import { composeClient } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';

/**
 * A backend of a test's own, in its own process, that cancels a turn with all it did and stays where that is noted but the
 * turn is not yet cancelled. Writes a JSON line with the turn's id there. Argument: the turn.
 */
const [turnId = ''] = process.argv.slice(2);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const client = await composeClient(loadConfig(), {
  logger: silent,
  replace: (real) => ({
    ...real,
    starter: {
      ...real.starter,
      cancel(cancelling) {
        process.stdout.write(`${JSON.stringify({ cancelling })}\n`);
        return new Promise<never>(() => setInterval(() => undefined, 60_000));
      },
    },
  }),
});
await client.turns.cancel(turnId, { compensate: true });
