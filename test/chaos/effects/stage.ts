import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bundleWorkflows } from '../../../src/dev/bundle-workflows.ts';
import { startChild, type OwnChild } from '../../../src/dev/child.ts';
import type { ScriptStep } from '../../../src/dev/offline-model/script.ts';
import { runnable } from '../../support/compile.ts';
import { startOfflineModel } from '../../support/offline-model.ts';
import { buildStage, type Building } from '../support/build-stage.ts';
import { PAUSE_MS, startPart, startServer, type Part } from '../support/parts.ts';
import { runDatabase, runGateway, runWorker, startTemporal } from '../support/processes.ts';
import { counterClient, type Entry } from './counters.ts';
import type { Fault, Way } from './faults.ts';
import { holderIn, type Holder } from './holds.ts';

/** Gateway, worker, database and Temporal, each a process of its own that can be taken away, and the world outside. */
export interface Stage extends Pick<Holder, 'hold' | 'allHeld'> {
  /** Of the gateway, the same after it was killed. */
  url: string;
  script(steps: ScriptStep[]): Promise<void>;
  /** Strikes, and lets all turns go on into what it has left. Resolves when the part is back; says when it struck. */
  strike(fault: Fault): Promise<Date>;
  /** What the counters have got so far. */
  entries(): Promise<Entry[]>;
  close(): Promise<void>;
}

const WORKER = new URL('./worker-main.ts', import.meta.url);
/** Until a signal has reached all processes of a part. */
const BLOW_MS = 200;

export function openStage(): Promise<Stage> {
  return buildStage(assemble);
}

async function assemble({ folder, keep }: Building): Promise<Omit<Stage, 'close'>> {
  const bundle = join(folder, 'workflows.js');
  await bundleWorkflows(bundle);
  const temporal = keep(await startServer(() => runTemporal(join(folder, 'temporal.db'))));
  const database = keep(await startServer(() => runDatabase(join(folder, 'postgres'))));
  const model = keep(await startOfflineModel());
  const counters = keep(await startCounters());
  const databaseUrl = `postgres://postgres@${database.proxy.address}/postgres`;
  const env = {
    DATABASE_URL: databaseUrl,
    // Full text alone needs no extension.
    VECTOR_DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal.proxy.address,
    OPENAI_BASE_URL: model.baseUrl,
    OPENAI_API_KEY: 'test-key',
    EMBEDDINGS: 'none',
    TURNKEEPER_SANDBOX: 'none',
    TURNKEEPER_SWEEP_INTERVAL_MS: '1000',
    TURNKEEPER_WORKFLOW_BUNDLE: bundle,
    CHAOS_FOLDER: folder,
    CHAOS_COUNTERS: addressOf(counters),
  };
  const startWorker = () => startPart(() => runWorker(WORKER, env));
  const worker = keep(await startWorker());
  const gateway = keep(await startServer(() => runGateway(env)));
  const holder = holderIn(folder);
  const servers = { gateway, database, temporal };
  return {
    url: `http://${gateway.proxy.address}`,
    script: (steps) => model.script(steps),
    hold: (...held) => holder.hold(...held),
    allHeld: (count) => holder.allHeld(count),
    entries: () => counterClient(addressOf(counters)).entries(),
    async strike({ target, way }) {
      const struckAt = new Date();
      const letAllGo = () => holder.letAllGo();
      if (target !== 'worker') await strikeServer(servers[target], way, letAllGo);
      else await strikeWorker(worker, way, { startWorker, letAllGo });
      return struckAt;
    },
  };
}

/** The worker is gone, or asleep, before any of its turns goes on; another one goes on with them. */
async function strikeWorker(
  worker: Part,
  way: Way,
  { startWorker, letAllGo }: { startWorker(): Promise<Part>; letAllGo(): Promise<void> },
): Promise<void> {
  if (way === 'kill') {
    await worker.kill();
    return letAllGo();
  }
  const awake = worker.pause(PAUSE_MS);
  const other = await startWorker();
  try {
    await letAllGo();
    await awake;
  } finally {
    await other.stop();
  }
}

/** Turns go on into what is left of the server. */
async function strikeServer(server: Part, way: Way, letAllGo: () => Promise<void>): Promise<void> {
  const back = blow(server, way);
  await delay(BLOW_MS);
  await letAllGo();
  await back;
}

async function blow(server: Part, way: Way): Promise<void> {
  if (way === 'cut') server.cut();
  else if (way === 'kill') await server.kill();
  else await server.pause(PAUSE_MS);
}

async function runTemporal(dbFile: string) {
  const { pid, address, stop } = await startTemporal(dbFile);
  return { pid, address, stop };
}

function startCounters(): Promise<OwnChild> {
  const script = runnable(new URL('./counters-main.ts', import.meta.url));
  return startChild({ name: 'The counters', script });
}

function addressOf({ ready }: OwnChild): string {
  return String(ready['listening']);
}
