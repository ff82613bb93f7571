import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../../src/client/search-attributes.ts';
import { readCacheDir } from '../../../src/config.ts';
import { startChild } from '../../../src/dev/child.ts';
import type { JournalEntry } from '../../../src/dev/offline-model/journal.ts';
import type { ScriptStep } from '../../../src/dev/offline-model/script.ts';
import { startPostgresServer } from '../../../src/dev/postgres-server.ts';
import { findTemporalCli } from '../../../src/dev/temporal-cli.ts';
import { startTemporalServer } from '../../../src/dev/temporal-server.ts';
import type { Fault, Target } from './faults.ts';
import { startPart, startServer, type Part, type Running } from './parts.ts';

/** Gateway, two workers, model and database, each a process of its own that can be taken away. */
export interface Stage {
  /** Of the gateway, the same after it was killed. */
  url: string;
  /** Resolves when the part is back. */
  strike(fault: Fault): Promise<void>;
  /** Replaces what the model answers; it keeps it when it is killed. */
  script(steps: ScriptStep[]): Promise<void>;
  /** Creates that the model has got, those that a killed one got included. */
  creates(): Promise<number>;
  close(): Promise<void>;
}

/** Longer than a worker's heartbeats (5 s), the idle sessions of the database (10 s) and workflow tasks (5 s) last. */
const PAUSE_MS = 12_000;

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
  const model = keep(await startServer(runModel));
  const env = {
    DATABASE_URL: `postgres://postgres@${database.proxy.address}/postgres`,
    TEMPORAL_ADDRESS: temporal.address,
    OPENAI_BASE_URL: `http://${model.proxy.address}/v1`,
    OPENAI_API_KEY: 'test-key',
    EMBEDDINGS: 'none',
    TURNKEEPER_SANDBOX: 'none',
    TURNKEEPER_SWEEP_INTERVAL_MS: '1000',
  };
  const workers = [keep(await startPart(() => runWorker(env)))];
  workers.push(keep(await startPart(() => runWorker(env))));
  const gateway = keep(await startServer(() => runGateway(env)));
  const control = modelControl(`http://${model.proxy.address}`);
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
      else if (target === 'model') await control.surviving(() => part.kill());
      else await part.kill();
    },
    script: control.script,
    creates: control.creates,
    close,
  };
}

/** What the model answers and has been asked, also of a model that was killed. */
function modelControl(origin: string) {
  let steps: ScriptStep[] = [];
  let earlier = 0;
  const send = async (path: string, body?: object) => {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${origin}/control/${path}`, init);
    if (!answer.ok) throw new Error(`The model refused: ${await answer.text()}`);
    return answer.json();
  };
  const counted = async () => {
    const entries = (await send('journal')) as JournalEntry[];
    return entries.filter(({ method, path }) => method === 'POST' && path.endsWith('/responses'))
      .length;
  };
  const script = async (next: ScriptStep[]) => {
    earlier += await counted();
    steps = next;
    await send('script', { steps });
  };
  return {
    script,
    creates: async () => earlier + (await counted()),
    async surviving(kill: () => Promise<void>) {
      earlier += await counted();
      await kill();
      await send('script', { steps });
    },
  };
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

async function runModel(): Promise<Running> {
  const child = await startChild({
    name: 'The model',
    script: 'dev/offline-model/main',
    args: ['--port', '0', '--delta-ms', '0'],
  });
  const address = new URL(String(child.ready['listening'])).host;
  return { pid: child.pid, address, stop: () => child.stop() };
}

async function runWorker(env: Record<string, string>): Promise<Running> {
  const script = new URL('./worker-main.ts', import.meta.url);
  const child = await startChild({ name: 'The worker', script, env });
  return { pid: child.pid, address: null, stop: () => child.stop() };
}

async function runGateway(env: Record<string, string>): Promise<Running> {
  const child = await startChild({
    name: 'The gateway',
    script: 'server',
    env: { ...env, PORT: '0' },
  });
  const address = new URL(String(child.ready['listening'])).host;
  return { pid: child.pid, address, stop: () => child.stop() };
}
