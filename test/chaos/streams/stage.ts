import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../../src/client/search-attributes.ts';
import { readCacheDir } from '../../../src/config.ts';
import { startChild } from '../../../src/dev/child.ts';
import type { ScriptStep } from '../../../src/dev/offline-model/script.ts';
import { startPostgresServer } from '../../../src/dev/postgres-server.ts';
import { findTemporalCli } from '../../../src/dev/temporal-cli.ts';
import { startTemporalServer } from '../../../src/dev/temporal-server.ts';
import { runnable } from '../../support/compile.ts';
import { readCreates, type Create } from './creates.ts';
import type { Fault, Target } from './faults.ts';
import { startPart, startServer, type Part, type Running } from './parts.ts';
import { withSpare } from './spare.ts';

/** Gateway, two workers, model and database, each a process of its own that can be taken away. */
export interface Stage {
  /** Of the gateway, the same after it was killed. */
  url: string;
  /** Resolves when the part is back. */
  strike(fault: Fault): Promise<void>;
  /** Replaces what the model answers; it keeps it when it is killed. */
  script(steps: ScriptStep[]): Promise<void>;
  /** What the model has got, those that a killed one got included. */
  creates(): Promise<Create[]>;
  close(): Promise<void>;
}

/** Longer than a worker's heartbeats and connecting to the database (5 s), idle transactions (10 s) and silence below. */
export const PAUSE_MS = 12_000;
/** A paused model is one silence, not two in a row: after these a background response would rightly be given up. */
export const MODEL_IDLE_MS = 7_000;
/** Less than the four calls of a step last, after which its turn fails. */
export const MODEL_AWAY_MS = 1_000;

export async function openStage(): Promise<Stage> {
  const closings: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closing of closings.reverse()) await closing();
  };
  try {
    return await assemble(closings, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(
  closings: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<Stage> {
  const keep = <T extends { stop(): Promise<unknown> }>(part: T): T => {
    closings.push(() => part.stop());
    return part;
  };
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-chaos-'));
  // PostgreSQL runs as another user.
  await chmod(folder, 0o711);
  closings.push(() => rm(folder, { recursive: true, force: true }));
  const temporal = keep(await startTemporal());
  const database = keep(await startServer(() => runDatabase(join(folder, 'postgres'))));
  const files = { script: join(folder, 'script.json'), creates: join(folder, 'creates.jsonl') };
  await writeScript(files.script, []);
  await writeFile(files.creates, '');
  const models = keep(withSpare(() => runModel([files.script, files.creates]), MODEL_AWAY_MS));
  const model = keep(await startServer(models.start));
  const databaseUrl = `postgres://postgres@${database.proxy.address}/postgres`;
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_LISTEN_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal.address,
    OPENAI_BASE_URL: `http://${model.proxy.address}/v1`,
    OPENAI_API_KEY: 'test-key',
    TURNKEEPER_MODEL_IDLE_TIMEOUT_MS: String(MODEL_IDLE_MS),
    EMBEDDINGS: 'none',
    TURNKEEPER_SANDBOX: 'none',
    TURNKEEPER_SWEEP_INTERVAL_MS: '1000',
  };
  const workers = [keep(await startPart(() => runWorker(env)))];
  workers.push(keep(await startPart(() => runWorker(env))));
  const gateway = keep(await startServer(() => runGateway(env)));
  let victims = 0;
  const partOf = (target: Target): Part => {
    if (target !== 'worker') return { gateway, model, database }[target];
    return workers[victims++ % workers.length] as Part;
  };
  return {
    url: `http://${gateway.proxy.address}`,
    async strike({ target, way }) {
      const part = partOf(target);
      if (way === 'cut') part.cut();
      else if (way === 'pause') await part.pause(PAUSE_MS);
      else await part.kill();
    },
    async script(steps) {
      await writeScript(files.script, steps);
      await models.ready();
    },
    creates: () => readCreates(files.creates),
    close,
  };
}

function writeScript(file: string, steps: ScriptStep[]): Promise<void> {
  return writeFile(file, JSON.stringify({ steps }));
}

async function startTemporal() {
  const cliPath = await findTemporalCli({
    explicitPath: null,
    cacheDir: readCacheDir(),
    onProgress: (message) => console.error(message),
  });
  const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
  return startTemporalServer({ cliPath, ui: false, searchAttributes: Object.fromEntries(names) });
}

async function runDatabase(dataDir: string): Promise<Running> {
  const { url, pid, stop } = await startPostgresServer({ dataDir });
  return { pid, address: new URL(url).host, stop };
}

async function runModel(args: string[]): Promise<Running> {
  const script = runnable(new URL('./model-main.ts', import.meta.url));
  const child = await startChild({ name: 'The model', script, args });
  const address = new URL(String(child.ready['listening'])).host;
  return { pid: child.pid, address, stop: () => child.stop() };
}

async function runWorker(env: Record<string, string>): Promise<Running> {
  const script = runnable(new URL('./worker-main.ts', import.meta.url));
  const child = await startChild({ name: 'The worker', script, env });
  return { pid: child.pid, address: null, stop: () => child.stop() };
}

async function runGateway(env: Record<string, string>): Promise<Running> {
  const child = await startChild({
    name: 'The gateway',
    script: runnable(new URL('../../../src/server.ts', import.meta.url)),
    env: { ...env, PORT: '0' },
  });
  const address = new URL(String(child.ready['listening'])).host;
  return { pid: child.pid, address, stop: () => child.stop() };
}
