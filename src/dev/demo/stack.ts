import { Client, Connection } from '@temporalio/client';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Turnkeeper } from '../../client/client.ts';
import { childEnvironment, loadConfig } from '../../config.ts';
import { connect } from '../../index.ts';
import { NOTHING_NAMED } from '../services/environment.ts';
import type { Settings } from '../services/environment.ts';
import type { Resources } from '../services/resources.ts';
import { showSandbox } from '../services/sandbox.ts';
import { READABLE_DELTA_MS, startServices } from '../services/services.ts';
import type { ServicesOptions, Temporal } from '../services/services.ts';
import { createWorkers } from '../services/workers.ts';
import type { WorkerProcess, Workers } from '../services/workers.ts';

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

export type StackOptions = Omit<ServicesOptions, 'named' | 'offlineDeltaMs'>;

/** Starts the services, and on them a worker and a client. Throws what the first one threw that did not start. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { resources, board } = options;
  const services = await startServices({
    ...options,
    named: NOTHING_NAMED,
    offlineDeltaMs: READABLE_DELTA_MS,
  });
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

function connectClient(resources: Resources, { address, namespace }: Temporal): Promise<Client> {
  return resources
    .start(
      () => Connection.connect({ address }),
      (connection) => connection.close(),
    )
    .then((connection) => new Client({ connection, namespace }));
}

/** What goes wrong is thrown; the rest would only disturb the picture. */
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
