import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeClient, type Replace, type SharedPorts } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { Turnkeeper } from '../../src/client/client.ts';
import { readEffects, type Effect } from './effects.ts';
import { startOfflineModel, type OfflineModelProcess } from './offline-model.ts';
import type { Point } from './points.ts';
import { openPool } from './pool.ts';
import { freshDatabase } from './postgres.ts';
import { freshTaskQueue, testTemporal } from './temporal.ts';
import { startTestWorker, type TestWorker } from './test-worker.ts';

export type { TestWorker } from './test-worker.ts';

export interface HistoryFigures {
  events: number;
  workflowTasks: number;
  bytes: number;
  /** Whether Temporal says completed, failed or cancelled. */
  closed: string;
}

/** Everything a turn needs, all of it real but the model, for one test file. */
export interface World {
  turnkeeper: Turnkeeper;
  offline: OfflineModelProcess;
  temporal: Client;
  databaseUrl: string;
  /** Environment that its processes run with. */
  env: Record<string, string>;
  effects(): Effect[];
  startWorker(options?: { hangAt?: Point; env?: Record<string, string> }): Promise<TestWorker>;
  /** Another client on the same parts. */
  client(replace?: Replace<SharedPorts>, env?: Record<string, string>): Promise<Turnkeeper>;
  /** Past the store and every proxy: to look, and to bring about what no method does. */
  sql<Row>(text: string, params?: unknown[]): Promise<Row[]>;
  history(workflowId: string): Promise<HistoryFigures>;
  close(): Promise<void>;
}

/** Settings of a world that differ from a plain one; `DATABASE_URL` to reach its database by another way. */
export type WorldEnvironment = (
  databaseUrl: string,
) => Record<string, string> | Promise<Record<string, string>>;

export async function openWorld(extra: WorldEnvironment = () => ({})): Promise<World> {
  const database = await freshDatabase();
  const offline = await startOfflineModel();
  const directory = mkdtempSync(join(tmpdir(), 'turnkeeper-world-'));
  const effectsFile = join(directory, 'effects');
  const { connectionOptions } = testTemporal();
  const env = {
    DATABASE_URL: database.url,
    OPENAI_API_KEY: 'test-key',
    OPENAI_BASE_URL: offline.baseUrl,
    EMBEDDINGS: 'none',
    TEMPORAL_ADDRESS: connectionOptions.address,
    TURNKEEPER_TASK_QUEUE: freshTaskQueue(),
    TURNKEEPER_SWEEP_INTERVAL_MS: '500',
    TURNKEEPER_SANDBOX: 'none',
    TEST_EFFECTS: effectsFile,
    ...(await extra(database.url)),
  };
  const temporalClient = new Client({ connection: await Connection.connect(connectionOptions) });
  const clients: Turnkeeper[] = [];
  const workers: TestWorker[] = [];
  const pool = openPool(database.url, 2);
  const client: World['client'] = async (replace, more = {}) => {
    const config = loadConfig({ ...process.env, ...env, ...more });
    const opened = await composeClient(config, { logger: silent, ...(replace && { replace }) });
    clients.push(opened);
    return opened;
  };
  return {
    turnkeeper: await client(),
    offline,
    temporal: temporalClient,
    databaseUrl: database.url,
    env,
    effects: () => readEffects(effectsFile),
    async startWorker({ hangAt, env: more = {} } = {}) {
      const worker = await startTestWorker({
        env: { ...env, ...more },
        hangFile: join(directory, `hang-${randomUUID()}`),
        ...(hangAt && { hangAt }),
      });
      workers.push(worker);
      return worker;
    },
    client,
    async sql<Row>(text: string, params: unknown[] = []) {
      return (await pool.query(text, params)).rows as Row[];
    },
    history: (workflowId) => readHistory(temporalClient, workflowId),
    async close() {
      for (const worker of workers) worker.kill('SIGKILL');
      await Promise.all(workers.map((worker) => worker.exited));
      await Promise.all(clients.map((opened) => opened.close()));
      await temporalClient.connection.close();
      await pool.end();
      await offline.stop();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function readHistory(client: Client, workflowId: string): Promise<HistoryFigures> {
  const handle = client.workflow.getHandle(workflowId);
  const history = await handle.fetchHistory();
  const { status } = await handle.describe();
  const events = history.events ?? [];
  return {
    events: events.length,
    workflowTasks: events.filter((event) => event.workflowTaskCompletedEventAttributes).length,
    bytes: temporal.api.history.v1.History.encode(history).finish().length,
    closed: status.name,
  };
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
