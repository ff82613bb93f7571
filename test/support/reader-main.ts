import { composeClient } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';

/** A reader of a test's own, in its own process. Writes the number of each event as a JSON line. Argument: the turn. */
const [turnId = ''] = process.argv.slice(2);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const client = await composeClient(loadConfig(), { logger: silent });
for await (const { number } of client.turns.events(turnId)) {
  process.stdout.write(`${JSON.stringify({ number })}\n`);
}
await client.close();
