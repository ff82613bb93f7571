import type { ActivityDependencies } from './activities/dependencies.ts';
import { createClient, type Turnkeeper } from './client/client.ts';
import { connectTemporal, temporalStarter } from './client/temporal.ts';
import type { Config } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import type { Logger } from './contracts/logger.ts';
import type { Embedder, VectorIndex } from './contracts/retrieval.ts';
import type { TurnStarter } from './contracts/starter.ts';
import type { Store } from './contracts/store.ts';
import type { Tools } from './contracts/tools.ts';
import { localEmbedder } from './model/local-embeddings.ts';
import { openaiEmbedder } from './model/openai-embeddings.ts';
import { openaiModel } from './model/openai.ts';
import { findWeights } from './model/weights.ts';
import { pgvectorIndex } from './retrieval/pgvector.ts';
import { createAppender } from './store/appender.ts';
import { openStore } from './store/postgres.ts';

/** Ports that go with both a client and a worker. */
export interface SharedPorts {
  store: Store;
  starter: TurnStarter;
}

/** Puts other ports in the place of real ones, or around them. */
export type Replace<Ports> = (real: Ports) => Ports;

const unchanged = <Ports>(real: Ports): Ports => real;

/** What was opened, closed in the opposite order. */
function closer() {
  const closings: (() => Promise<void>)[] = [];
  return {
    add: (close: () => Promise<void>) => void closings.unshift(close),
    async close() {
      for (const close of closings.splice(0)) await close();
    },
  };
}

type Closer = ReturnType<typeof closer>;

/** Runs `build`; when it fails, nothing that it opened stays open. */
async function building<T>(build: (opened: Closer) => Promise<T>): Promise<T> {
  const opened = closer();
  try {
    return await build(opened);
  } catch (error) {
    await opened.close().catch(() => undefined);
    throw error;
  }
}

export interface ClientComposition {
  logger: Logger;
  tenant?: string;
  replace?: Replace<SharedPorts>;
}

/** A client on real parts: it talks to the database and to Temporal directly. */
export function composeClient(config: Config, options: ClientComposition): Promise<Turnkeeper> {
  const { logger, tenant, replace = unchanged } = options;
  return building(async (opened) => {
    const ports = replace(await openShared(config, logger, opened));
    const { limits } = config;
    const close = () => opened.close();
    return createClient({
      ...ports,
      logger,
      limits,
      close,
      ...(tenant !== undefined && { tenant }),
    });
  });
}

export interface WorkerComposition {
  logger: Logger;
  tools: Tools;
  replace?: Replace<ActivityDependencies>;
}

export interface WorkerParts {
  ports: ActivityDependencies;
  close(): Promise<void>;
}

/** Everything that a worker's activities and its sweep work with. */
export function composeWorker(config: Config, options: WorkerComposition): Promise<WorkerParts> {
  const { logger, tools, replace = unchanged } = options;
  return building(async (opened) => {
    const shared = await openShared(config, logger, opened);
    const appender = createAppender(shared.store.events);
    opened.add(() => appender.close());
    const retrieval = await openRetrieval(config, logger, opened);
    const model = openaiModel({ ...providerOf(config), idleTimeoutMs: config.modelIdleTimeoutMs });
    const ports = replace({ ...shared, ...retrieval, appender, model, tools, logger });
    return { ports, close: () => opened.close() };
  });
}

async function openShared(config: Config, logger: Logger, opened: Closer): Promise<SharedPorts> {
  const { databaseUrl: connectionString, databasePoolSize: poolSize, taskQueue } = config;
  const store = await openStore({ connectionString, poolSize });
  opened.add(() => store.close());
  const client = await connectTemporal(config.temporal);
  opened.add(() => client.connection.close());
  return { store, starter: await temporalStarter({ client, taskQueue, logger }) };
}

function providerOf({ openai }: Config): { apiKey: string; baseUrl?: string } {
  // A server of one's own may need no key; the client insists on one.
  const apiKey = openai.apiKey ?? 'none';
  return openai.baseUrl === null ? { apiKey } : { apiKey, baseUrl: openai.baseUrl };
}

interface Retrieval {
  index: VectorIndex | null;
  embedder: Embedder | null;
}

async function openRetrieval(config: Config, logger: Logger, opened: Closer): Promise<Retrieval> {
  if (config.vectorDatabaseUrl === null) return { index: null, embedder: null };
  const embedder = await openEmbedder(config, logger);
  const index = pgvectorIndex({
    connectionString: config.vectorDatabaseUrl,
    space: embedder?.space ?? 'text',
    dimensions: embedder?.dimensions ?? null,
  });
  opened.add(() => index.close());
  await prepare(index, config.vectorDatabaseUrl);
  return { index, embedder };
}

async function prepare(index: VectorIndex, url: string): Promise<void> {
  try {
    await index.prepare();
  } catch (error) {
    if (error instanceof TurnkeeperError) throw error;
    const { host } = new URL(url);
    const reason = error instanceof Error ? error.message : String(error);
    const message = `VECTOR_DATABASE_URL names ${host}, where no PostgreSQL with pgvector is ready: ${reason}.`;
    throw new TurnkeeperError('database_unreachable', message, { host }, error);
  }
}

async function openEmbedder(config: Config, logger: Logger): Promise<Embedder | null> {
  const { source, model, dimensions } = config.embeddings;
  const chosen = source === 'auto' ? (config.openai.apiKey === null ? 'local' : 'openai') : source;
  if (chosen === 'none') return null;
  if (chosen === 'openai') return openaiEmbedder({ ...providerOf(config), model, dimensions });
  return openLocalEmbedder(config, logger);
}

async function openLocalEmbedder({ cacheDir }: Config, logger: Logger): Promise<Embedder | null> {
  const onProgress = (message: string) => logger.info(message, { part: 'embeddings' });
  const weights = await findWeights({ cacheDir, download: true, onProgress });
  const embedder = weights === null ? null : await localEmbedder(weights);
  if (!embedder)
    logger.warn('no local embedding model can be had: documents are found by full text alone');
  return embedder;
}
