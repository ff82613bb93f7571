import type { Client } from '@temporalio/client';
import type { Turnkeeper } from '../src/client/client.ts';
import { connectTemporal } from '../src/client/temporal.ts';
import { composeClient } from '../src/compose.ts';
import { childEnvironment, loadConfig } from '../src/config.ts';
import { startScript } from '../src/dev/child.ts';
import { startPglite } from '../src/dev/pglite/start.ts';
import { findTemporalCli } from '../src/dev/temporal-cli.ts';
import { startTemporalServer } from '../src/dev/temporal-server.ts';
import { startOfflineModel, type OfflineModelProcess } from '../test/support/offline-model.ts';
import { openPool } from '../test/support/pool.ts';

/** Everything that a turn needs, as in production but for the model. */
export interface Stage {
  turnkeeper: Turnkeeper;
  offline: OfflineModelProcess;
  temporal: Client;
  /** Past the store, to bring about what no method does. */
  sql<Row>(text: string, params?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

export async function openStage(toolsModule: string): Promise<Stage> {
  const opened = closer();
  try {
    const offline = await opened.add(startOfflineModel(), (part) => part.stop());
    const env = await startServers(opened, {
      EMBEDDINGS: 'none',
      OPENAI_API_KEY: 'none',
      OPENAI_BASE_URL: offline.baseUrl,
      TURNKEEPER_TASK_QUEUE: 'turnkeeper',
      TURNKEEPER_TOOLS: toolsModule,
      TEMPORAL_NAMESPACE: 'default',
    });
    const worker = startScript({ name: 'The worker', script: 'worker', env });
    await opened.add(worker, (part) => part.stop());
    const config = loadConfig(childEnvironment(env));
    const client = composeClient(config, { logger: SILENT });
    const turnkeeper = await opened.add(client, (part) => part.close());
    const connected = connectTemporal(config.temporal);
    const temporal = await opened.add(connected, (part) => part.connection.close());
    const pool = await opened.add(Promise.resolve(openPool(env['DATABASE_URL'] ?? '', 1)), (part) =>
      part.end(),
    );
    const sql: Stage['sql'] = async <Row>(text: string, params: unknown[] = []) =>
      (await pool.query(text, params)).rows as Row[];
    return { turnkeeper, offline, temporal, sql, close: () => opened.close() };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

type Settings = Record<string, string>;

/** The environment with the addresses of a database and a Temporal server of its own. */
async function startServers(opened: Closer, settings: Settings): Promise<Settings> {
  const database = await opened.add(startPglite({ dataDir: null }), (part) => part.stop());
  const env = { ...settings, DATABASE_URL: database.url, VECTOR_DATABASE_URL: database.url };
  const { temporalCliPath, cacheDir } = loadConfig(childEnvironment(env));
  const cliPath = await findTemporalCli({ explicitPath: temporalCliPath, cacheDir });
  const starting = startTemporalServer({ cliPath, ui: false, searchAttributes: {} });
  const { address } = await opened.add(starting, (part) => part.stop());
  return { ...env, TEMPORAL_ADDRESS: address };
}

/** Closes what was opened, in the opposite order. */
function closer() {
  const closings: (() => Promise<void>)[] = [];
  return {
    async add<T>(starting: Promise<T>, close: (part: T) => Promise<void>): Promise<T> {
      const part = await starting;
      closings.unshift(() => close(part));
      return part;
    },
    async close() {
      for (const close of closings.splice(0)) await close();
    },
  };
}

type Closer = ReturnType<typeof closer>;
