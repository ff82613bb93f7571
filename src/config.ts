import { existsSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { readEncryptionKeys } from './config/encryption.ts';
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
} from './config/readers.ts';
import type { Environment } from './config/readers.ts';
import { SETTINGS } from './config/settings.ts';
import { readTemporal } from './config/temporal.ts';
import type { Config } from './config/types.ts';
import { readVersioning } from './config/versioning.ts';
import type { Limits } from './conversation/limits.ts';

export type { Config };

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
    encryptionKeys: readEncryptionKeys(env),
    codecOrigin: readOrigin(env),
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
    versioning: readVersioning(env),
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

function readDatabaseUrl(env: Environment): string {
  const url = readPostgresUrl(env, 'DATABASE_URL');
  if (url === null) throw missing('DATABASE_URL', 'DATABASE_URL is not set.');
  return url;
}

function readOrigin(env: Environment): string | null {
  const url = readHttpUrl(env, 'TURNKEEPER_CODEC_ORIGIN');
  return url === null ? null : new URL(url).origin;
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

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    // Certificates are byte arrays, which cannot be frozen.
    if (typeof part === 'object' && part !== null && !ArrayBuffer.isView(part)) {
      deepFreeze(part as object);
    }
  }
  return Object.freeze(value);
}
