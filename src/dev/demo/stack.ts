import { Client, Connection } from '@temporalio/client';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Turnkeeper } from '../../client/client.ts';
import { childEnvironment, loadConfig } from '../../config.ts';
import { connect } from '../../index.ts';
import type { TemporalServer } from '../temporal-server.ts';
import type { Settings } from './environment.ts';
import type { Resources } from './resources.ts';
import { showSandbox } from './sandbox.ts';
import { startServices } from './services.ts';
import type { ServicesOptions } from './services.ts';
import { createWorkers } from './workers.ts';
import type { WorkerProcess, Workers } from './workers.ts';

/** So slow that people can read along, and that a worker can be killed in mid-answer. */
const OFFLINE_DELTA_MS = 45;

/** Everything a turn runs on. */
export interface Stack {
  turnkeeper: Turnkeeper;
  /** To read histories. */
  temporal: Client;
  webUi: string;
  workers: Workers;
  worker: WorkerProcess;
  /** How documents are indexed, in a word. */
  embeddings: string;
  /** Whether workers have a sandbox to run code in. */
  computes: boolean;
  settings: Settings;
}

export type StackOptions = Omit<ServicesOptions, 'offlineDeltaMs'>;

/** Starts the services, and on them a worker and a client. Throws what the first one threw that did not start. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { resources, board } = options;
  const services = await startServices({ ...options, offlineDeltaMs: OFFLINE_DELTA_MS });
  const { temporal, embeddings } = services;
  const tools = { TURNKEEPER_TOOLS: toolsModule() };
  const env = { ...services.env, ...tools };
  const workers = createWorkers({ env, resources, onWarning: board.note });
  const [computes, worker, turnkeeper, client] = await Promise.all([
    showSandbox(env, board),
    board.during(
      'worker 1',
      () => workers.start(),
      ({ pid }) => `process ${pid}`,
    ),
    resources.start(
      () => connect({ config: loadConfig(childEnvironment(env)), logger: quiet }),
      (t) => t.close(),
    ),
    connectClient(resources, temporal),
  ]);
  const settings = { ...services.settings, ...tools };
  const webUi = temporal.uiUrl ?? '';
  const parts = { workers, worker, embeddings, computes, settings };
  return { turnkeeper, temporal: client, webUi, ...parts };
}

function toolsModule(): string {
  return fileURLToPath(new URL(`./tools${extname(import.meta.url)}`, import.meta.url));
}

function connectClient(
  resources: Resources,
  { address, namespace }: TemporalServer,
): Promise<Client> {
  return resources
    .start(
      () => Connection.connect({ address }),
      (connection) => connection.close(),
    )
    .then((connection) => new Client({ connection, namespace }));
}

/** What goes wrong is thrown; the rest would only disturb the picture. */
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
