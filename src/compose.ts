import type { ActivityDependencies } from './activities/dependencies.ts';
import { stopResponse } from './activities/stop-response.ts';
import { createClient, type Turnkeeper } from './client/client.ts';
import { clientOver, connectTemporal, type TemporalConnection } from './client/temporal.ts';
import type { Config } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import type { Logger } from './contracts/logger.ts';
import type { CountReconciled } from './contracts/reconciled.ts';
import type { Embedder, VectorIndex } from './contracts/retrieval.ts';
import type { FileStore, Store } from './contracts/store.ts';
import { describeError } from './contracts/thrown.ts';
import type { ToolDefinition } from './contracts/tools.ts';
import type { App, Info } from './gateway/context.ts';
import type { Encryption } from './encryption/open.ts';
import { KEY_PATIENCE, openShared, type SharedPorts } from './open-shared.ts';
import { localEmbedder } from './model/local-embeddings.ts';
import { openaiEmbedder } from './model/openai-embeddings.ts';
import { openaiModel } from './model/openai.ts';
import { findWeights } from './model/weights.ts';
import { pgvectorIndex } from './retrieval/pgvector.ts';
import { qdrantIndex } from './retrieval/qdrant.ts';
import type { Space } from './retrieval/vectors.ts';
import type { Chore } from './recovery/chores.ts';
import { deletionChore } from './recovery/deletions.ts';
import { foldingChore } from './recovery/fold-events.ts';
import { reconcileChores } from './recovery/reconcile.ts';
import { counted } from './recovery/reconciled.ts';
import { stopCallsChore } from './recovery/stopped-calls.ts';
import { queueChore } from './recovery/queues.ts';
import { unreadTurnsChore } from './recovery/unread-turns.ts';
import { submissionsChore } from './recovery/wake.ts';
import { boundedSandbox } from './sandbox/bounded.ts';
import { openSandbox } from './sandbox/open.ts';
import { createAppender } from './store/appender.ts';
import { meteredPorts } from './telemetry/metered-ports.ts';
import { meteredSandbox } from './telemetry/metered-sandbox.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { createTools } from './tools/registry.ts';
import { refusedCodeTool, runCodeTool, SANDBOX_WAIT_MS } from './tools/run-code.ts';

export type { SharedPorts } from './open-shared.ts';

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
export async function composeClient(
  config: Config,
  options: ClientComposition,
): Promise<Turnkeeper> {
  const { client } = await openClient(config, options);
  return client;
}

function openClient(
  config: Config,
  { logger, tenant, replace = unchanged }: ClientComposition,
): Promise<{ client: Turnkeeper; encryption: Encryption; store: Store }> {
  return building(async (opened) => {
    const client = await connectTemporal(config.temporal);
    opened.add(() => client.connection.close());
    const temporal = { client, eagerStart: false, logger, keyPatienceMs: KEY_PATIENCE.client };
    const { shared, encryption } = await openShared(config, temporal, opened);
    const ports = replace(shared);
    const { limits } = config;
    const close = () => opened.close();
    const named = tenant !== undefined && { tenant };
    const { store } = ports;
    return {
      client: createClient({ ...ports, logger, limits, close, ...named }),
      encryption,
      store,
    };
  });
}

export interface GatewayComposition {
  logger: Logger;
  info: Info;
  maxStreams: number;
}

/** The HTTP application on a client of its own. Loaded here alone: workers and clients start faster without it. */
export function composeGateway(
  config: Config,
  { logger, info, maxStreams }: GatewayComposition,
): Promise<{ app: App; close(): Promise<void> }> {
  return building(async (opened) => {
    const { client, encryption, store } = await openClient(config, { logger });
    opened.add(() => client.close());
    const { limits, codecOrigin } = config;
    const codec = encryption.remote;
    const databaseAnswers = () => store.checkup.answers();
    const options = { limits, maxStreams, info, databaseAnswers, logger, codec, codecOrigin };
    const [{ createGateway }, { closeGateway }] = await Promise.all([
      import('./gateway/app.ts'),
      import('./gateway/listen.ts'),
    ]);
    const app = await createGateway({ clientFor: () => client, ...options });
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
  encryption: Encryption;
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
    const temporal = { client, eagerStart: true, logger, keyPatienceMs: KEY_PATIENCE.worker };
    const { shared, encryption } = await openShared(config, temporal, opened);
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
      ...reconciling(ports, metrics),
      queueChore(ports),
      deletionChore(ports),
    ];
    return { ports, chores: upkeep, metrics, encryption, close: () => opened.close() };
  });
}

/** Chores that look for what does not fit together, each counted by what it finds. */
function reconciling(ports: ActivityDependencies, metrics: Metrics | null): Chore[] {
  const count = countReconciled(metrics);
  const stopCalls = stopCallsChore(ports.store.sweep, (call) => stopResponse(ports, call));
  return [
    ...reconcileChores(ports, count),
    counted(unreadTurnsChore(ports), 'gone_readers', count),
    counted(stopCalls, 'left_generations', count),
    counted(submissionsChore(ports), 'unread_submissions', count),
  ];
}

function countReconciled(metrics: Metrics | null): CountReconciled {
  return (kind, count) => metrics?.reconciled.inc({ kind }, count);
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
  const reap = { name: 'reap sandboxes', run: () => sandbox.reap() };
  const chores = [counted(reap, 'orphaned_sandboxes', countReconciled(metrics))];
  return { codeTool, chores };
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
    const reason = describeError(error);
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
