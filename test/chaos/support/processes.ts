import { SEARCH_ATTRIBUTES } from '../../../src/client/search-attributes.ts';
import { readCacheDir } from '../../../src/config.ts';
import { startChild } from '../../../src/dev/child.ts';
import { startPostgresServer } from '../../../src/dev/postgres-server.ts';
import { findTemporalCli } from '../../../src/dev/temporal-cli.ts';
import { startTemporalServer, type TemporalServer } from '../../../src/dev/temporal-server.ts';
import { runnable } from '../../support/compile.ts';
import type { Running } from './parts.ts';

type Environment = Record<string, string>;

/** Keeps what it knows in this file; without one, in memory. */
export async function startTemporal(dbFile?: string): Promise<TemporalServer> {
  const cliPath = await findTemporalCli({
    explicitPath: null,
    cacheDir: readCacheDir(),
    onProgress: (message) => console.error(message),
  });
  const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
  const searchAttributes = Object.fromEntries(names);
  return startTemporalServer({ cliPath, ui: false, searchAttributes, ...(dbFile && { dbFile }) });
}

export async function runDatabase(dataDir: string): Promise<Running> {
  const { url, pid, stop } = await startPostgresServer({ dataDir });
  return { pid, address: new URL(url).host, stop };
}

export async function runWorker(script: URL, env: Environment): Promise<Running> {
  const child = await startChild({ name: 'The worker', script: runnable(script), env });
  return { pid: child.pid, address: null, stop: () => child.stop() };
}

export async function runGateway(env: Environment): Promise<Running> {
  const child = await startChild({
    name: 'The gateway',
    script: runnable(new URL('../../../src/server.ts', import.meta.url)),
    env: { ...env, PORT: '0' },
  });
  const address = new URL(String(child.ready['listening'])).host;
  return { pid: child.pid, address, stop: () => child.stop() };
}
