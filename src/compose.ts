import type { ActivityDependencies } from './activities/dependencies.ts';
import { stopResponse } from './activities/stop-response.ts';
import { createClient, type Turnkeeper } from './client/client.ts';
import {
  clientOver,
  connectTemporal,
  temporalStarter,
  type StarterOptions,
  type TemporalConnection,
} from './client/temporal.ts';
import type { Config } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import type { Logger } from './contracts/logger.ts';
import type { Embedder, VectorIndex } from './contracts/retrieval.ts';
import type { TurnStarter } from './contracts/starter.ts';
import type { FileStore, Store } from './contracts/store.ts';
import type { ToolDefinition } from './contracts/tools.ts';
import { createGateway } from './gateway/app.ts';
import type { App, Info } from './gateway/context.ts';
import { closeGateway } from './gateway/listen.ts';
import { localEmbedder } from './model/local-embeddings.ts';
import { openaiEmbedder } from './model/openai-embeddings.ts';
import { openaiModel } from './model/openai.ts';
import { findWeights } from './model/weights.ts';
import { pgvectorIndex } from './retrieval/pgvector.ts';
import { qdrantIndex } from './retrieval/qdrant.ts';
import type { Space } from './retrieval/vectors.ts';
import type { Chore } from './recovery/chores.ts';
import { foldingChore } from './recovery/fold-events.ts';
import { stopCallsChore } from './recovery/stopped-calls.ts';
import { queueChore } from './recovery/queues.ts';
import { unreadTurnsChore } from './recovery/unread-turns.ts';
import { submissionsChore } from './recovery/wake.ts';
import { boundedSandbox } from './sandbox/bounded.ts';
import { openSandbox } from './sandbox/open.ts';
import { createAppender } from './store/appender.ts';
import { openStore } from './store/postgres.ts';
import { meteredPorts } from './telemetry/metered-ports.ts';
import { meteredSandbox } from './telemetry/metered-sandbox.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { createTools } from './tools/registry.ts';
import { refusedCodeTool, runCodeTool, SANDBOX_WAIT_MS } from './tools/run-code.ts';

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
    const client = await connectTemporal(config.temporal);
    opened.add(() => client.connection.close());
    const shared = await openShared(config, { client, eagerStart: false, logger }, opened);
    const ports = replace(shared);
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

export interface GatewayComposition {
  logger: Logger;
  info: Info;
  maxStreams: number;
}

/** The HTTP application on a client of its own. */
export function composeGateway(
  config: Config,
  { logger, info, maxStreams }: GatewayComposition,
): Promise<{ app: App; close(): Promise<void> }> {
  return building(async (opened) => {
    const client = await composeClient(config, { logger });
    opened.add(() => client.close());
    const { limits } = config;
    const app = await createGateway({ clientFor: () => client, limits, maxStreams, info, logger });
    opened.add(() => closeGateway(app));
    return { app, close: () => opened.close() };
  });
}

export interface WorkerComposition {
  /** The worker's own: what it starts through it begins in this process at once. */
  connection: TemporalConnection;
  logger: Logger;
  /** The application's; the built-in one comes with them. */
  tools: ToolDefinition[];
  replace?: Replace<ActivityDependencies>;
}

export interface WorkerParts {
  ports: ActivityDependencies;
  chores: Chore[];
  /** Null where none are served. */
  metrics: Metrics | null;
  close(): Promise<void>;
}

/**
 * Everything that a worker's activities and its sweep work with.
 * @throws TurnkeeperError for bad tools, and for parts that cannot be had
 */
export function composeWorker(config: Config, options: WorkerComposition): Promise<WorkerParts> {
  const { connection, logger, replace = unchanged } = options;
  return building(async (opened) => {
    const client = await clientOver(connection, config.temporal);
    const shared = await openShared(config, { client, eagerStart: true, logger }, opened);
    const appender = createAppender(shared.store.events);
    opened.add(() => appender.close());
    const retrieval = await openRetrieval(config, logger, opened);
    const model = openaiModel({ ...providerOf(config), idleTimeoutMs: config.modelIdleTimeoutMs });
    const metrics = config.metrics && createMetrics();
    const { files } = shared.store;
    const { codeTool, chores } = await openCode(config, { files, logger, metrics }, opened);
    const tools = createTools([codeTool, ...options.tools]);
    const real = { ...shared, ...retrieval, appender, model, tools, logger };
    const ports = replace(metrics ? meteredPorts(real, metrics) : real);
    const upkeep = [
      ...chores,
      foldingChore(ports.store, config.worker.eventRetentionMs),
      unreadTurnsChore(ports),
      stopCallsChore(ports.store.sweep, (call) => stopResponse(ports, call)),
      submissionsChore(ports),
      queueChore(ports),
    ];
    return { ports, chores: upkeep, metrics, close: () => opened.close() };
  });
}

async function openShared(
  config: Config,
  temporal: Omit<StarterOptions, 'taskQueue'>,
  opened: Closer,
): Promise<SharedPorts> {
  const { databaseUrl: connectionString, databasePoolSize: poolSize, taskQueue } = config;
  const { databaseListenUrl: listenUrl } = config;
  const { logger } = temporal;
  const store = await openStore({
    ...{ connectionString, poolSize, logger },
    ...(listenUrl !== null && { notifications: { connectionString: listenUrl, logger } }),
  });
  opened.add(() => store.close());
  return { store, starter: await temporalStarter({ ...temporal, taskQueue }) };
}

function providerOf({ openai }: Config): { apiKey: string; baseUrl?: string } {
  // A server of one's own may need no key; the client insists on one.
  const apiKey = openai.apiKey ?? 'none';
  return openai.baseUrl === null ? { apiKey } : { apiKey, baseUrl: openai.baseUrl };
}

/** The built-in tool, with what this host has to run code in. */
async function openCode(
  config: Config,
  parts: { files: FileStore; logger: Logger; metrics: Metrics | null },
  opened: Closer,
): Promise<{ codeTool: ToolDefinition; chores: Chore[] }> {
  const { files, logger, metrics } = parts;
  const { sandbox, reasons } = await openSandbox(config.sandbox);
  const why = reasons.join(' ');
  if (sandbox === null) {
    logger.info(`sandbox     none, code is refused: ${why}`);
    return { codeTool: refusedCodeTool(why), chores: [] };
  }
  opened.add(() => sandbox.close());
  logger.info(`sandbox     ${sandbox.description}${why && ` (${why})`}`);
  const bounded = boundedSandbox(sandbox, config.sandbox.concurrency, SANDBOX_WAIT_MS);
  const metered = metrics ? meteredSandbox(bounded, metrics) : bounded;
  const codeTool = runCodeTool({ sandbox: metered, files });
  return { codeTool, chores: [{ name: 'reap sandboxes', run: () => sandbox.reap() }] };
}

interface Retrieval {
  index: VectorIndex | null;
  embedder: Embedder | null;
}

async function openRetrieval(config: Config, logger: Logger, opened: Closer): Promise<Retrieval> {
  const createIndex = indexOf(config);
  if (!createIndex) return { index: null, embedder: null };
  const embedder = await openEmbedder(config, logger);
  const index = createIndex({
    space: embedder?.space ?? 'text',
    dimensions: embedder?.dimensions ?? null,
  });
  opened.add(() => index.close());
  await index.prepare();
  return { index, embedder };
}

/** Null: retrieval is off. */
function indexOf({ qdrant, vectorDatabaseUrl }: Config): ((space: Space) => VectorIndex) | null {
  if (qdrant) return (space) => qdrantIndex({ ...qdrant, ...space });
  if (vectorDatabaseUrl === null) return null;
  return (space) => {
    const index = pgvectorIndex({ connectionString: vectorDatabaseUrl, ...space });
    return { ...index, prepare: () => preparePgvector(index, vectorDatabaseUrl) };
  };
}

async function preparePgvector(index: VectorIndex, url: string): Promise<void> {
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
