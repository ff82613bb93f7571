import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readCacheDir } from '../../config.ts';
import { TurnkeeperError } from '../../contracts/errors.ts';
import { startPglite } from '../pglite/start.ts';
import { startPostgresServer } from '../postgres-server.ts';
import { startQdrantEngine } from '../qdrant-engine/start.ts';
import type { Settings } from './environment.ts';
import { reasonOf } from './messages.ts';
import type { Resources } from './resources.ts';
import type { StartBoard } from './start-board.ts';
import { startWatched, type OnLost } from './watched.ts';

export interface StorageOptions {
  /** Real parts instead of the embedded ones: PostgreSQL, Qdrant's engine, Docker. */
  parts: boolean;
  /** Null for a temporary directory. */
  dataDir: string | null;
  resources: Resources;
  board: StartBoard;
  signal: AbortSignal;
  onLost?: OnLost;
}

/** Starts where conversations and documents are kept, and answers the settings that reach it. */
export async function startStorage(options: StorageOptions, scratch: string): Promise<Settings> {
  const { dataDir } = options;
  const path = dataDir ?? join(scratch, 'data');
  const place = { path, where: dataDir === null ? 'temporary, removed at the end' : path };
  await makeDirectory(path);
  if (!options.parts) return startEmbedded(options, place);
  const [database, index] = await Promise.all([
    startPostgres(options, place),
    startQdrant(options, place),
  ]);
  return { ...database, ...index };
}

interface Place {
  path: string;
  /** For people. */
  where: string;
}

/** It holds the lock of the data directory. */
async function startEmbedded(options: StorageOptions, { path, where }: Place): Promise<Settings> {
  const { url } = await options.board.during(
    'database',
    () => startWatched('The embedded database', options, () => startPglite({ dataDir: path })),
    () => `PGlite with pgvector, ${where}`,
  );
  return { DATABASE_URL: url, VECTOR_DATABASE_URL: url };
}

async function startPostgres(
  { resources, board, dataDir }: StorageOptions,
  { path, where }: Place,
): Promise<Settings> {
  const kept = dataDir === null ? {} : { dataDir: join(path, 'postgres') };
  const begin = () => startPostgresServer(kept).catch(missing('PostgreSQL', 'postgresql'));
  const { url } = await board.during(
    'database',
    () => resources.start(begin, (server) => server.stop()),
    () => `PostgreSQL, ${where}`,
  );
  return { DATABASE_URL: url };
}

async function startQdrant(
  { resources, board, signal }: StorageOptions,
  { path, where }: Place,
): Promise<Settings> {
  const dataDir = join(path, 'qdrant');
  const options = { dataDir, cacheDir: readCacheDir(), onProgress: board.note, signal };
  const { url } = await board.during(
    'index',
    () =>
      resources.start(
        () => startQdrantEngine(options),
        (engine) => engine.stop(),
      ),
    () => `Qdrant's engine, ${where}`,
  );
  return { QDRANT_URL: url };
}

function missing(part: string, packages: string) {
  return (error: unknown): never => {
    const message = `--parts needs ${part}, which did not start: ${reasonOf(error)}. Add it with: apt-get install -y ${packages}.`;
    throw new TurnkeeperError('service_failed', message, {}, error);
  };
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const message = `The data directory ${path} cannot be made: ${reasonOf(error)}.`;
    throw new TurnkeeperError('invalid_request', message, {}, error);
  }
}
