import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { startTemporalServer, type TemporalServer } from '../../src/dev/temporal-server.ts';
import type { Contestant } from '../contestant.ts';
import type { BareActivities, bareTurn } from './bare-temporal-workflow.ts';
import { historyOf } from './histories.ts';
import { modelCall, type ChatMessage, type ModelCall } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

const TASK_QUEUE = 'bare';

/** The loop in memory, inside a workflow: what Temporal takes by itself. */
export function bareTemporal(): Contestant {
  const conversations = new Map<string, { messages: ChatMessage[]; turnIds: string[] }>();
  const asked = new Map<string, { messages: ChatMessage[]; onDelta: () => void }>();
  let temporal: TemporalServer;
  let connection: NativeConnection;
  let client: Client;
  let worker: Worker;
  let running: Promise<void>;
  const open = async (temporalCli: string, call: ModelCall) => {
    temporal = await startTemporalServer({
      cliPath: temporalCli,
      ui: false,
      searchAttributes: {},
    });
    connection = await NativeConnection.connect({ address: temporal.address });
    client = new Client({ connection });
    const activities: BareActivities = {
      async respond(turnId) {
        const turn = asked.get(turnId);
        if (!turn) throw new Error('Nobody asked for this turn.');
        const content = await call(turn.messages, turn.onDelta);
        turn.messages.push({ role: 'assistant', content });
      },
      close: () => Promise.resolve(),
    };
    worker = await Worker.create({
      connection,
      taskQueue: TASK_QUEUE,
      workflowsPath: fileURLToPath(new URL('./bare-temporal-workflow.ts', import.meta.url)),
      activities: { ...activities },
    });
    running = worker.run();
  };
  return {
    start: ({ modelUrl, temporalCli }) => open(temporalCli, modelCall(modelUrl)),
    openConversation() {
      const id = randomUUID();
      conversations.set(id, { messages: [], turnIds: [] });
      return Promise.resolve(id);
    },
    async runTurn(conversation, text) {
      const watch = stopwatch();
      const { messages, turnIds } = conversations.get(conversation) ?? {
        messages: [],
        turnIds: [],
      };
      const turnId = randomUUID();
      messages.push({ role: 'user', content: text });
      asked.set(turnId, { messages, onDelta: watch.delta });
      const handle = await client.workflow.start<typeof bareTurn>('bareTurn', {
        workflowId: turnId,
        taskQueue: TASK_QUEUE,
        args: [turnId],
        requestEagerStart: true,
      });
      await handle.result();
      asked.delete(turnId);
      turnIds.push(turnId);
      return watch.done();
    },
    processes: () => ({ temporal: temporal.pid }),
    stateBytes: () => Promise.resolve(0),
    histories: (conversation) =>
      Promise.all(
        (conversations.get(conversation)?.turnIds ?? []).map((id) => historyOf(client, id)),
      ),
    async stop() {
      worker.shutdown();
      await running;
      await connection.close();
      await temporal.stop();
    },
  };
}
