import { Client, Connection } from '@temporalio/client';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.ts';
import { startScript } from '../../src/dev/child.ts';
import type { GuardedProcess } from '../../src/dev/guarded-process.ts';
import { startTemporalServer, type TemporalServer } from '../../src/dev/temporal-server.ts';
import { SEARCH_ATTRIBUTES } from '../../src/client/search-attributes.ts';
import { connect, type Turnkeeper } from '../../src/index.ts';
import { connectWithWorker } from '../../src/run-worker.ts';
import type { Contestant } from '../contestant.ts';
import {
  databaseBytes,
  startDatabase,
  type DatabaseKind,
  type RunningDatabase,
} from './database.ts';
import { historiesOf } from './histories.ts';
import { MODEL } from './model-call.ts';
import { stopwatch } from './stopwatch.ts';

/** `single`: client and worker in this process. `processes`: the worker in one of its own. */
type Layout = 'single' | 'processes';

export function turnkeeper(layout: Layout, kind: DatabaseKind): Contestant {
  let database: RunningDatabase;
  let temporal: TemporalServer;
  let operator: Client;
  let client: Turnkeeper;
  let worker: GuardedProcess | undefined;
  let assistantId: string;
  return {
    async start({ modelUrl, scratch, temporalCli }) {
      [database, temporal] = await Promise.all([
        startDatabase(kind, join(scratch, 'data')),
        startTemporal(temporalCli),
      ]);
      const env = {
        DATABASE_URL: database.url,
        TEMPORAL_ADDRESS: temporal.address,
        OPENAI_BASE_URL: modelUrl,
        OPENAI_API_KEY: 'none',
        EMBEDDINGS: 'none',
        VECTOR_DATABASE_URL: '',
        TURNKEEPER_SANDBOX: 'none',
      };
      const config = loadConfig(env);
      if (layout === 'processes') worker = await startWorker(env);
      client = await (layout === 'single' ? connectWithWorker : connect)({ config });
      operator = new Client({
        connection: await Connection.connect({ address: temporal.address }),
      });
      const assistant = await client.assistants.create({ name: 'bench', model: MODEL });
      assistantId = assistant.id;
    },
    openConversation: async () => (await client.conversations.create()).id,
    async runTurn(conversationId, input) {
      const watch = stopwatch();
      const turn = await client.turns.start({ conversationId, assistantId, input });
      for await (const { event } of client.turns.events(turn.id)) {
        if (event.type === 'response.output_text.delta') watch.delta();
        if (event.type === 'turn.done' && event['status'] !== 'completed') {
          throw new Error(`The turn ended as ${String(event['status'])}.`);
        }
      }
      return watch.done();
    },
    processes: () => ({
      ...(worker && { worker: worker.pid }),
      database: database.pid,
      temporal: temporal.pid,
    }),
    stateBytes: () => databaseBytes(database.url),
    histories: (conversation) => historiesOf(conversation, client, operator),
    async stop() {
      await client.close();
      await worker?.stop();
      await operator.connection.close();
      await Promise.all([temporal.stop(), database.stop()]);
    },
  };
}

async function startTemporal(cliPath: string): Promise<TemporalServer> {
  const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
  const searchAttributes = Object.fromEntries(names);
  return await startTemporalServer({ cliPath, ui: false, searchAttributes });
}

async function startWorker(env: Record<string, string>): Promise<GuardedProcess> {
  return await new Promise((resolve, reject) => {
    const started = startScript({
      name: 'The worker',
      script: 'worker',
      env,
      onLog: (line) => {
        if (line.includes('worker is ready')) resolve(started);
      },
    });
    started
      .then((worker) => worker.exited.then(() => reject(new Error(worker.output()))))
      .catch(reject);
  });
}
