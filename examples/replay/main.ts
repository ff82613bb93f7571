/**
 * Replaying production histories in an application's own tests. Here a few turns run first, so that there is something to
 * export; in production the histories come from the cluster, the ones of running turns first of all:
 *
 *     temporal workflow list --query "WorkflowType = 'turn'" --limit 100
 *     temporal workflow show --workflow-id <turn> --output json > histories/<turn>.json
 *
 * What stands between the lines is what goes into a test of yours.
 */
import { Client, Connection } from '@temporalio/client';
import { isTurnkeeperError, loadConfig } from 'turnkeeper';
import { replayTurns } from 'turnkeeper/replay';
import { connectWithWorker } from 'turnkeeper/worker';
import { refund } from './tools.ts';

const QUESTIONS = ['Refund AB-0001, please.', 'Refund AB-0002 and AB-0003.', 'Good morning.'];

const histories = await exportHistories(await runTurns());

// ── the test ──
await replayTurns({ histories, tools: [refund] });
console.log(
  `✓ ${Object.keys(histories).length} histories replay on this release, with these tools`,
);
// ──────────────

// A deployment that changes a tool's policy under running turns is caught before it happens.
const changed = { ...refund, policy: 'idempotent' as const };
try {
  await replayTurns({ histories, tools: [changed] });
  process.exitCode = 1;
} catch (error) {
  if (!isTurnkeeperError(error, 'history_replay_failed')) throw error;
  console.log(
    `✓ a changed policy is refused: ${String((error.details['problems'] as string[])[0])}`,
  );
}

async function runTurns(): Promise<string[]> {
  const quiet = { info: () => undefined, warn: () => undefined, error: console.error };
  const turnkeeper = await connectWithWorker({ tools: [refund], logger: quiet });
  const assistant = await turnkeeper.assistants.create({
    name: 'Refund desk',
    model: process.env['MODEL'] ?? 'gpt-5-nano',
    tools: ['refund'],
  });
  const ids = await Promise.all(
    QUESTIONS.map(async (input) => {
      const conversation = await turnkeeper.conversations.create({});
      const turn = await turnkeeper.turns.start({
        conversationId: conversation.id,
        assistantId: assistant.id,
        input,
      });
      await turnkeeper.turns.result(turn.id);
      return turn.id;
    }),
  );
  await turnkeeper.close();
  return ids;
}

async function exportHistories(ids: string[]): Promise<Record<string, unknown>> {
  const { connectionOptions, namespace } = loadConfig().temporal;
  const connection = await Connection.connect(connectionOptions);
  const { workflow } = new Client({ connection, namespace });
  const entries = ids.map(async (id) => [id, await workflow.getHandle(id).fetchHistory()] as const);
  const histories = Object.fromEntries(await Promise.all(entries));
  await connection.close();
  return histories;
}
