import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { existsSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import {
  invalid,
  missing,
  readChoice,
  readHttpUrl,
  readNumber,
  readOptionalNumber,
  readPath,
  readPostgresUrl,
  readText,
  readWithDefault,
  redactUrl,
} from './config/readers.ts';
import type { Environment } from './config/readers.ts';
import { SETTINGS } from './config/settings.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import type { Limits } from './conversation/limits.ts';

/** Everything that can be set, parsed and frozen. docs/configuration.md says what each part means. */
export interface Config {
  readonly databaseUrl: string;
  readonly databasePoolSize: number;
  /** Null: readers look for events. */
  readonly databaseListenUrl: string | null;
  /** Null: retrieval is off. */
  readonly vectorDatabaseUrl: string | null;
  /** Null: documents are in `vectorDatabaseUrl`. */
  readonly qdrant: { readonly url: string; readonly apiKey: string | null } | null;
  readonly openai: { readonly apiKey: string | null; readonly baseUrl: string | null };
  readonly embeddings: {
    readonly source: 'auto' | 'openai' | 'local' | 'none';
    readonly model: string;
    readonly dimensions: number;
  };
  readonly sandbox: {
    readonly kind: 'auto' | 'docker' | 'bubblewrap' | 'none';
    readonly image: string;
    readonly runtime: string | null;
    readonly dockerHost: string;
    readonly concurrency: number;
  };
  /** Null: no metrics are served. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly cacheDir: string;
  readonly taskQueue: string;
  /** Absolute path. */
  readonly toolsModule: string | null;
  readonly modelIdleTimeoutMs: number;
  readonly limits: Readonly<Limits>;
  readonly worker: {
    readonly maxConcurrentActivities: number;
    readonly sweepIntervalMs: number;
    readonly eventRetentionMs: number;
  };
  readonly temporal: TemporalConfig;
  /** Absolute path. */
  readonly temporalCliPath: string | null;
}

export interface TemporalConfig {
  readonly connectionOptions: TemporalConnectionOptions;
  readonly namespace: string;
}

/** Fits the client's `Connection` and the worker's `NativeConnection`. */
export interface TemporalConnectionOptions {
  readonly address: string;
  readonly apiKey?: string;
  readonly tls?: NonNullable<ClientConnectConfig['connectionOptions']['tls']>;
  readonly metadata?: Record<string, string>;
}

/**
 * Reads every setting. Throws `missing_setting` and `invalid_setting`, naming variable, value and what is allowed;
 * secrets are never echoed.
 */
export function loadConfig(env: Environment = process.env): Config {
  const config: Config = {
    databaseUrl: readDatabaseUrl(env),
    databasePoolSize: readNumber(env, 'DATABASE_POOL_SIZE'),
    databaseListenUrl: readPostgresUrl(env, 'DATABASE_LISTEN_URL'),
    vectorDatabaseUrl: readPostgresUrl(env, 'VECTOR_DATABASE_URL'),
    qdrant: readQdrant(env),
    openai: {
      apiKey: readText(env, 'OPENAI_API_KEY'),
      baseUrl: readHttpUrl(env, 'OPENAI_BASE_URL'),
    },
    embeddings: {
      source: readChoice(env, 'EMBEDDINGS') ?? SETTINGS.EMBEDDINGS.default,
      model: readWithDefault(env, 'EMBEDDING_MODEL'),
      dimensions: readNumber(env, 'EMBEDDING_DIMENSIONS'),
    },
    sandbox: readSandbox(env),
    metrics: readMetrics(env),
    cacheDir: readCacheDir(env),
    taskQueue: readWithDefault(env, 'TURNKEEPER_TASK_QUEUE'),
    toolsModule: readPath(env, 'TURNKEEPER_TOOLS'),
    modelIdleTimeoutMs: readNumber(env, 'TURNKEEPER_MODEL_IDLE_TIMEOUT_MS'),
    limits: readLimits(env),
    worker: {
      maxConcurrentActivities: readNumber(env, 'TURNKEEPER_MAX_CONCURRENT_ACTIVITIES'),
      sweepIntervalMs: readNumber(env, 'TURNKEEPER_SWEEP_INTERVAL_MS'),
      eventRetentionMs: readNumber(env, 'TURNKEEPER_EVENT_RETENTION_MS'),
    },
    temporal: readTemporal(env),
    temporalCliPath: readPath(env, 'TEMPORAL_CLI_PATH'),
  };
  if (config.embeddings.source === 'openai') requireModel(config);
  return deepFreeze(config);
}

/** For processes that call a model: throws `missing_setting` when there is none to call. */
export function requireModel(config: Config): void {
  if (config.openai.apiKey !== null || config.openai.baseUrl !== null) return;
  throw missing('OPENAI_API_KEY', 'Neither OPENAI_API_KEY nor OPENAI_BASE_URL is set.');
}

/** What concerns the sandbox; needs no other setting. */
export function readSandbox(env: Environment = process.env): Config['sandbox'] {
  return {
    kind: readChoice(env, 'TURNKEEPER_SANDBOX') ?? SETTINGS.TURNKEEPER_SANDBOX.default,
    image: readWithDefault(env, 'TURNKEEPER_SANDBOX_IMAGE'),
    runtime: readText(env, 'TURNKEEPER_SANDBOX_RUNTIME'),
    dockerHost: readWithDefault(env, 'DOCKER_HOST'),
    concurrency:
      readOptionalNumber(env, 'TURNKEEPER_SANDBOX_CONCURRENCY') ?? availableParallelism(),
  };
}

/** What concerns the HTTP gateway itself. */
export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  readonly maxStreams: number;
  /** Absolute path. */
  readonly dataDir: string | null;
}

/** What concerns the HTTP gateway itself; needs no other setting. */
export function readServer(env: Environment = process.env): ServerSettings {
  return {
    host: readWithDefault(env, 'TURNKEEPER_HOST'),
    port: readNumber(env, 'PORT'),
    maxStreams: readNumber(env, 'TURNKEEPER_MAX_STREAMS'),
    dataDir: readPath(env, 'DATA_DIR'),
  };
}

/** The workflows' code as a worker loads it, where it is not that of the build; needs no other setting. */
export function readWorkflowBundle(env: Environment = process.env): string | null {
  const path = readPath(env, 'TURNKEEPER_WORKFLOW_BUNDLE');
  if (path === null || existsSync(path)) return path;
  throw invalid('TURNKEEPER_WORKFLOW_BUNDLE', path, 'the path of a file');
}

/** Where downloads are kept; needs no other setting. */
export function readCacheDir(env: Environment = process.env): string {
  const home = env['HOME'] ?? homedir();
  const caches = env['XDG_CACHE_HOME'] || join(home, '.cache');
  return readPath(env, 'TURNKEEPER_CACHE_DIR') ?? join(caches, 'turnkeeper');
}

/** This process's environment with `overrides` on top, for a child process. */
export function childEnvironment(overrides: Environment): Environment {
  return { ...process.env, ...overrides };
}

/** What is printed at start, one line a part; passwords and keys are left out. */
export function describeConfig(config: Config): string[] {
  const { openai, embeddings, temporal } = config;
  const provider = openai.baseUrl === null ? 'OpenAI' : redactUrl(openai.baseUrl);
  const tls = temporal.connectionOptions.tls ? ', TLS' : '';
  return [
    `database    ${redactUrl(config.databaseUrl)}`,
    `events      ${describeEvents(config)}`,
    `documents   ${describeIndex(config)}`,
    `model       ${provider}, ${openai.apiKey === null ? 'no key' : 'with a key'}`,
    `embeddings  ${embeddings.source}`,
    `temporal    ${temporal.connectionOptions.address}, namespace ${temporal.namespace}${tls}`,
    `task queue  ${config.taskQueue}`,
    `tools       ${config.toolsModule ?? 'none'}`,
  ];
}

function describeEvents({ databaseListenUrl }: Config): string {
  return databaseListenUrl === null ? 'polled for' : `notified by ${redactUrl(databaseListenUrl)}`;
}

function describeIndex({ qdrant, vectorDatabaseUrl }: Config): string {
  if (qdrant) {
    return `Qdrant, ${redactUrl(qdrant.url)}, ${qdrant.apiKey === null ? 'no key' : 'with a key'}`;
  }
  if (vectorDatabaseUrl !== null) return redactUrl(vectorDatabaseUrl);
  return 'none: retrieval is off (neither QDRANT_URL nor VECTOR_DATABASE_URL is set)';
}

function readDatabaseUrl(env: Environment): string {
  const url = readPostgresUrl(env, 'DATABASE_URL');
  if (url === null) throw missing('DATABASE_URL', 'DATABASE_URL is not set.');
  return url;
}

function readQdrant(env: Environment): Config['qdrant'] {
  const url = readHttpUrl(env, 'QDRANT_URL');
  return url === null ? null : { url, apiKey: readText(env, 'QDRANT_API_KEY') };
}

function readMetrics(env: Environment): Config['metrics'] {
  const port = readNumber(env, 'TURNKEEPER_METRICS_PORT');
  return port === 0 ? null : { host: readWithDefault(env, 'TURNKEEPER_METRICS_HOST'), port };
}

function readLimits(env: Environment): Limits {
  return {
    maxInputBytes: readNumber(env, 'TURNKEEPER_MAX_INPUT_BYTES'),
    maxItemsPerTurn: readNumber(env, 'TURNKEEPER_MAX_ITEMS_PER_TURN'),
    maxMetadataBytes: readNumber(env, 'TURNKEEPER_MAX_METADATA_BYTES'),
    maxDocumentBytes: readNumber(env, 'TURNKEEPER_MAX_DOCUMENT_BYTES'),
    maxQueuedTurns: readNumber(env, 'TURNKEEPER_MAX_QUEUED_TURNS'),
  };
}

function readTemporal(env: Environment): TemporalConfig {
  readChoice(env, 'TEMPORAL_TLS');
  const file = readText(env, 'TEMPORAL_CONFIG_FILE');
  // Temporal's reader passes over a file that is not there.
  if (file !== null && !existsSync(file)) {
    throw invalid('TEMPORAL_CONFIG_FILE', file, 'the path of a file');
  }
  const { connectionOptions, namespace } = readTemporalEnvironment(env);
  const { address, apiKey, tls, metadata } = connectionOptions;
  return {
    connectionOptions: {
      address: address ?? SETTINGS.TEMPORAL_ADDRESS.default,
      ...(typeof apiKey === 'string' && { apiKey }),
      ...(tls !== undefined && tls !== null && { tls }),
      ...(metadata && { metadata: metadata as Record<string, string> }),
    },
    namespace: namespace ?? SETTINGS.TEMPORAL_NAMESPACE.default,
  };
}

/** Variables and configuration file as every Temporal SDK and its CLI read them. */
function readTemporalEnvironment(env: Environment): ClientConnectConfig {
  const set = Object.entries(env).filter((entry): entry is [string, string] => Boolean(entry[1]));
  try {
    return loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(set) });
  } catch (error) {
    // The parser's message quotes lines of the file, which may hold a key: keep to its first line.
    const reason = error instanceof Error ? error.message.split('\n')[0] : 'no reason given';
    const message = `Temporal's client configuration cannot be read: ${reason}.`;
    throw new TurnkeeperError(
      'invalid_setting',
      `${message} TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE or a TEMPORAL_TLS_ path is wrong.`,
    );
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    // Certificates are byte arrays, which cannot be frozen.
    if (typeof part === 'object' && part !== null && !ArrayBuffer.isView(part)) {
      deepFreeze(part as object);
    }
  }
  return Object.freeze(value);
}
