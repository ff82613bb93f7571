import { Client, Connection } from '@temporalio/client';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Turnkeeper } from '../../client/client.ts';
import { SEARCH_ATTRIBUTES } from '../../client/search-attributes.ts';
import { childEnvironment, loadConfig, readCacheDir } from '../../config.ts';
import { readPath } from '../../config/readers.ts';
import { TurnkeeperError } from '../../contracts/errors.ts';
import { connect } from '../../index.ts';
import { startChild } from '../child.ts';
import { startPglite } from '../pglite/start.ts';
import type { RunningPglite } from '../pglite/start.ts';
import { findTemporalCli } from '../temporal-cli.ts';
import { startTemporalServer } from '../temporal-server.ts';
import type { TemporalServer } from '../temporal-server.ts';
import { chooseEmbeddings } from './embeddings.ts';
import { overrides } from './environment.ts';
import type { ModelChoice, Settings } from './environment.ts';
import { reasonOf } from './messages.ts';
import type { Resources } from './resources.ts';
import type { StartBoard } from './start-board.ts';
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
  settings: Settings;
}

export interface StackOptions {
  model: ModelChoice;
  /** Null for a temporary directory. */
  dataDir: string | null;
  resources: Resources;
  board: StartBoard;
  signal: AbortSignal;
}

/** Starts all parts, each as early as what it needs is there. Throws what the first one threw that did not start. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { resources, board } = options;
  const scratch = await resources.start(
    () => mkdtemp(join(tmpdir(), 'turnkeeper-demo-')),
    (path) => rm(path, { recursive: true, force: true }),
  );
  const temporalConfigFile = join(scratch, 'temporal.toml');
  await writeFile(temporalConfigFile, '[profile.default]\n');
  const database = startDatabase(options, scratch);
  const model = startModel(options);
  const [temporal, parts] = await Promise.all([
    startTemporal(options, database),
    indexing(options, database, model, temporalConfigFile),
  ]);
  const settings = {
    ...parts.settings,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
  };
  const env = overrides(settings, temporalConfigFile);
  const workers = createWorkers({ env, resources, onWarning: board.note });
  const [worker, turnkeeper, client] = await Promise.all([
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
  const webUi = temporal.uiUrl ?? '';
  return {
    turnkeeper,
    temporal: client,
    webUi,
    workers,
    worker,
    embeddings: parts.embeddings,
    settings,
  };
}

/** First of all: it holds the lock of the data directory. */
function startDatabase(
  { dataDir, resources, board }: StackOptions,
  scratch: string,
): Promise<RunningPglite> {
  const path = dataDir ?? join(scratch, 'data');
  const where = dataDir === null ? 'temporary, removed at the end' : path;
  const begin = async () => {
    await makeDirectory(path);
    return await startPglite({ dataDir: path });
  };
  return board.during(
    'database',
    () => resources.start(begin, (database) => database.stop()),
    () => `PGlite with pgvector, ${where}`,
  );
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const message = `--data-dir names ${path}, which cannot be a directory: ${reasonOf(error)}.`;
    throw new TurnkeeperError('invalid_request', message, {}, error);
  }
}

async function startTemporal(
  options: StackOptions,
  database: Promise<unknown>,
): Promise<TemporalServer> {
  const { dataDir, resources, board } = options;
  return await board.during(
    'Temporal',
    async () => {
      const [cliPath] = await Promise.all([findCli(options), database]);
      const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
      const searchAttributes = Object.fromEntries(names);
      const kept = dataDir === null ? {} : { dbFile: join(dataDir, 'temporal.db') };
      const begin = () => startTemporalServer({ cliPath, ui: true, searchAttributes, ...kept });
      return await resources.start(begin, (server) => server.stop());
    },
    ({ address, uiUrl }) => `${address}, Web UI ${String(uiUrl)}`,
  );
}

function findCli({ resources, board, signal }: StackOptions): Promise<string> {
  const explicitPath = readPath(childEnvironment({}), 'TEMPORAL_CLI_PATH');
  const search = { explicitPath, cacheDir: readCacheDir(), onProgress: board.note, signal };
  return resources.start(() => findTemporalCli(search), nothingToStop);
}

/** Waited for all the same: a download that was broken off removes what it has written. */
const nothingToStop = () => Promise.resolve();

/** Settings of the model: none where the environment has them. */
async function startModel({ model, resources, board }: StackOptions): Promise<Settings> {
  if (!model.offline) {
    board.done('model', `${model.name} at ${model.where}`);
    return {};
  }
  const server = await board.during(
    'model',
    () =>
      resources.start(
        () =>
          startChild({
            name: 'The offline model',
            script: 'dev/offline-model/main',
            args: ['--delta-ms', String(OFFLINE_DELTA_MS)],
          }),
        (child) => child.stop(),
      ),
    () => 'offline: it quotes and does not think (OPENAI_API_KEY is not set)',
  );
  return { OPENAI_BASE_URL: String(server.ready['listening']) };
}

/** What of the settings does not depend on Temporal, and how documents are going to be indexed. */
async function indexing(
  { resources, board, signal }: StackOptions,
  database: Promise<RunningPglite>,
  model: Promise<Settings>,
  temporalConfigFile: string,
): Promise<{ settings: Settings; embeddings: string }> {
  const [{ url }, modelSettings] = await Promise.all([database, model]);
  const settings = {
    DATABASE_URL: url,
    VECTOR_DATABASE_URL: url,
    ...modelSettings,
    TURNKEEPER_TOOLS: fileURLToPath(new URL(`./tools${extname(import.meta.url)}`, import.meta.url)),
  };
  const config = loadConfig(childEnvironment(overrides(settings, temporalConfigFile)));
  const embeddings = await board.during(
    'embeddings',
    () =>
      resources.start(() => chooseEmbeddings(config, { note: board.note, signal }), nothingToStop),
    ({ description }) => description,
  );
  const fullText: Settings = embeddings.space === 'text' ? { EMBEDDINGS: 'none' } : {};
  return { settings: { ...settings, ...fullText }, embeddings: embeddings.space };
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
