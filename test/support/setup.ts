import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { SEARCH_ATTRIBUTES } from '../../src/client/search-attributes.ts';
import { readCacheDir, readSandbox } from '../../src/config.ts';
import type { Sandbox } from '../../src/contracts/sandbox.ts';
import { bundleWorkflows } from '../../src/dev/bundle-workflows.ts';
import { startPostgresServer } from '../../src/dev/postgres-server.ts';
import { startQdrantEngine } from '../../src/dev/qdrant-engine/start.ts';
import { findTemporalCli } from '../../src/dev/temporal-cli.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { chromiumMissing } from './chromium.ts';
import { compileSources } from './compile.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Null when there is none; `temporalMissing` says why. */
    temporalAddress: string | null;
    temporalCliPath: string | null;
    temporalMissing: string | null;
    /** A database whose user may create others; null when there is none. */
    postgresUrl: string | null;
    postgresMissing: string | null;
    /** Qdrant's engine behind its REST; null when there is none. */
    qdrantEngineUrl: string | null;
    qdrantEngineMissing: string | null;
    /** Why code cannot run there; null where it can. */
    sandboxMissing: Record<Sandbox['kind'], string | null>;
    /** Why there is no browser; null where there is one. */
    chromiumMissing: string | null;
    /** The Qdrant server that QDRANT_URL names; null when it is not set. */
    qdrantServer: { url: string; apiKey: string | null } | null;
  }
}

type Stop = () => Promise<void>;

/** One Temporal server, one PostgreSQL and one Qdrant engine for the whole run. What cannot be had is told, and its tests are skipped. */
export default async function setup(project: TestProject): Promise<Stop> {
  project.provide('chromiumMissing', chromiumMissing());
  const stops = await Promise.all([
    compileSources(),
    provideWorkflows(),
    provideTemporal(project),
    providePostgres(project),
    provideQdrant(project),
    provideSandboxes(project),
  ]);
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

/** Bundled once: a worker that a test starts takes it from there. */
async function provideWorkflows(): Promise<Stop> {
  const directory = await mkdtemp(join(tmpdir(), 'turnkeeper-workflows-'));
  const bundle = join(directory, 'bundle.js');
  await bundleWorkflows(bundle);
  process.env['TURNKEEPER_WORKFLOW_BUNDLE'] = bundle;
  return () => rm(directory, { recursive: true, force: true });
}

async function provideTemporal({ provide }: TestProject): Promise<Stop> {
  provide('temporalAddress', null);
  provide('temporalCliPath', null);
  provide('temporalMissing', null);
  try {
    const cliPath = await findTemporalCli({
      explicitPath: process.env['TEMPORAL_CLI_PATH'] ?? null,
      cacheDir: readCacheDir(),
      onProgress: (message) => console.log(message),
    });
    provide('temporalCliPath', cliPath);
    const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
    const searchAttributes = Object.fromEntries(names);
    const server = await startTemporalServer({ cliPath, ui: false, searchAttributes });
    provide('temporalAddress', server.address);
    return () => server.stop();
  } catch (error) {
    provide('temporalMissing', reasonOf(error));
    return () => Promise.resolve();
  }
}

async function providePostgres({ provide }: TestProject): Promise<Stop> {
  const given = process.env['TEST_DATABASE_URL'] ?? null;
  provide('postgresUrl', given);
  provide('postgresMissing', null);
  if (given !== null) return () => Promise.resolve();
  try {
    const server = await startPostgresServer();
    provide('postgresUrl', server.url);
    return () => server.stop();
  } catch (error) {
    provide('postgresMissing', reasonOf(error));
    return () => Promise.resolve();
  }
}

async function provideQdrant({ provide }: TestProject): Promise<Stop> {
  const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env;
  provide('qdrantServer', url ? { url, apiKey: apiKey || null } : null);
  provide('qdrantEngineUrl', null);
  provide('qdrantEngineMissing', null);
  const dataDir = await mkdtemp(join(tmpdir(), 'turnkeeper-qdrant-'));
  const removeData = () => rm(dataDir, { recursive: true, force: true });
  try {
    const onProgress = (message: string) => console.log(message);
    const engine = await startQdrantEngine({ dataDir, cacheDir: readCacheDir(), onProgress });
    provide('qdrantEngineUrl', engine.url);
    return async () => {
      await engine.stop();
      await removeData();
    };
  } catch (error) {
    provide('qdrantEngineMissing', reasonOf(error));
    return removeData;
  }
}

async function provideSandboxes({ provide }: TestProject): Promise<Stop> {
  const [docker, bubblewrap] = await Promise.all([
    sandboxMissing('docker'),
    sandboxMissing('bubblewrap'),
  ]);
  provide('sandboxMissing', { docker, bubblewrap });
  return () => Promise.resolve();
}

async function sandboxMissing(kind: Sandbox['kind']): Promise<string | null> {
  try {
    const { sandbox } = await openSandbox({ ...readSandbox(), kind });
    await sandbox?.close();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
