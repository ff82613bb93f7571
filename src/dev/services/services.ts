import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../client/search-attributes.ts';
import { childEnvironment, loadConfig, readCacheDir } from '../../config.ts';
import { readPath, redactUrl } from '../../config/readers.ts';
import type { Environment } from '../../config/readers.ts';
import { startChild } from '../child.ts';
import { findTemporalCli } from '../temporal-cli.ts';
import { startTemporalServer } from '../temporal-server.ts';
import type { TemporalServer } from '../temporal-server.ts';
import { chooseEmbeddings } from './embeddings.ts';
import { overrides } from './environment.ts';
import type { ModelChoice, Named, Settings } from './environment.ts';
import { startStorage, type StorageOptions } from './storage.ts';
import { startWatched } from './watched.ts';

/** What workers and clients work with, and how they reach it. */
export interface Services {
  settings: Settings;
  /** The settings on top of this process's environment, for a process that uses them. */
  env: Environment;
  temporal: Temporal;
  /** How documents are indexed, in a word. */
  embeddings: string;
}

export type Temporal = Pick<TemporalServer, 'address' | 'namespace' | 'uiUrl'>;

/** Milliseconds: so slow that people can read along. */
export const READABLE_DELTA_MS = 45;

export interface ServicesOptions extends StorageOptions {
  named: Named;
  model: ModelChoice;
  /** Milliseconds before each piece of the offline model's answers. */
  offlineDeltaMs: number;
}

/** Starts all services, each as early as what it needs is there. Throws what the first one threw that did not start. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { resources } = options;
  const scratch = await resources.start(
    () => mkdtemp(join(tmpdir(), 'turnkeeper-services-')),
    (path) => rm(path, { recursive: true, force: true }),
  );
  const temporalConfigFile = join(scratch, 'temporal.toml');
  await writeFile(temporalConfigFile, '[profile.default]\n');
  // First of all: it holds the lock of the data directory.
  const storage = options.named.database ? useDatabase(options) : startStorage(options, scratch);
  const model = startModel(options);
  const [temporal, parts] = await Promise.all([
    options.named.temporal ? useTemporal(options, storage) : startTemporal(options, storage),
    indexing(options, storage, model, temporalConfigFile),
  ]);
  const settings = {
    ...parts.settings,
    ...(options.parts && { TURNKEEPER_SANDBOX: 'docker' }),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
  };
  const { embeddings } = parts;
  // What goes with the address of a Temporal that is named, such as its key, must reach it.
  const env = options.named.temporal ? settings : overrides(settings, temporalConfigFile);
  return { settings, env, temporal, embeddings };
}

function useDatabase({ board }: ServicesOptions): Promise<Settings> {
  board.done('database', redactUrl(loadConfig().databaseUrl));
  return Promise.resolve({});
}

async function useTemporal(
  { board }: ServicesOptions,
  storage: Promise<Settings>,
): Promise<Temporal> {
  const { temporal } = loadConfig(childEnvironment(await storage));
  const { address } = temporal.connectionOptions;
  board.done('Temporal', `${address}, namespace ${temporal.namespace}`);
  return { address, namespace: temporal.namespace, uiUrl: null };
}

async function startTemporal(
  options: ServicesOptions,
  storage: Promise<unknown>,
): Promise<TemporalServer> {
  const { dataDir, board } = options;
  return await board.during(
    'Temporal',
    async () => {
      const [cliPath] = await Promise.all([findCli(options), storage]);
      const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
      const searchAttributes = Object.fromEntries(names);
      const kept = dataDir === null ? {} : { dbFile: join(dataDir, 'temporal.db') };
      const begin = () => startTemporalServer({ cliPath, ui: true, searchAttributes, ...kept });
      return await startWatched('Temporal', options, begin);
    },
    ({ address, uiUrl }) => `${address}, Web UI ${String(uiUrl)}`,
  );
}

function findCli({ resources, board, signal }: ServicesOptions): Promise<string> {
  const explicitPath = readPath(childEnvironment({}), 'TEMPORAL_CLI_PATH');
  const search = { explicitPath, cacheDir: readCacheDir(), onProgress: board.note, signal };
  return resources.start(() => findTemporalCli(search), nothingToStop);
}

/** Waited for all the same: a download that was broken off removes what it has written. */
const nothingToStop = () => Promise.resolve();

/** Settings of the model: none where the environment has them. */
async function startModel(options: ServicesOptions): Promise<Settings> {
  const { model, offlineDeltaMs, board } = options;
  if (!model.offline) {
    board.done('model', `${model.name} at ${model.where}`);
    return {};
  }
  const server = await board.during(
    'model',
    () =>
      startWatched('The offline model', options, () =>
        startChild({
          name: 'The offline model',
          script: 'dev/offline-model/main',
          args: ['--delta-ms', String(offlineDeltaMs)],
        }),
      ),
    () => 'offline: it quotes and does not think (OPENAI_API_KEY is not set)',
  );
  return { OPENAI_BASE_URL: String(server.ready['listening']) };
}

/** What of the settings does not depend on Temporal, and how documents are going to be indexed. */
async function indexing(
  { resources, board, signal }: ServicesOptions,
  storage: Promise<Settings>,
  model: Promise<Settings>,
  temporalConfigFile: string,
): Promise<{ settings: Settings; embeddings: string }> {
  const [storageSettings, modelSettings] = await Promise.all([storage, model]);
  const settings = { ...storageSettings, ...modelSettings };
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
