import { composeClient } from '../../src/compose.ts';
import type { StartTurn } from '../../src/client/start-turn.ts';
import { loadConfig } from '../../src/config.ts';

/**
 * A backend of a test's own, in its own process, that starts a turn and stays where the turn is accepted and Temporal has not
 * been told yet: to start its workflow, or to cancel that of the turn it interrupts. Writes a JSON line there with the id
 * of that turn. Arguments: conversation, assistant, key, what to do when the conversation is held.
 */
const [conversationId = '', assistantId = '', idempotencyKey = '', whenBusy = 'reject'] =
  process.argv.slice(2);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const stay = (turnId: string): Promise<never> => {
  process.stdout.write(`${JSON.stringify({ turnId })}\n`);
  return new Promise(() => setInterval(() => undefined, 60_000));
};

const client = await composeClient(loadConfig(), {
  logger: silent,
  replace: (real) => ({
    ...real,
    starter: { ...real.starter, startTurn: ({ turnId }) => stay(turnId), cancel: stay },
  }),
});
await client.turns.start({
  ...{ conversationId, assistantId, idempotencyKey, input: 'Are you there?' },
  whenBusy: whenBusy as NonNullable<StartTurn['whenBusy']>,
});
