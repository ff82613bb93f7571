import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../../../src/dev/child.ts';
import type { ScriptStep } from '../../../src/dev/offline-model/script.ts';
import { buildStage, type Building } from '../support/build-stage.ts';
import { PAUSE_MS, startPart, startServer, type Part, type Running } from '../support/parts.ts';
import { runDatabase, runGateway, runWorker, startTemporal } from '../support/processes.ts';
import { runnable } from '../../support/compile.ts';
import { readCreates, type Create } from './creates.ts';
import type { Fault, Target } from './faults.ts';
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

/** Shorter than a pause. One of these is one silence, not two in a row, after which a background response is given up. */
export const MODEL_IDLE_MS = 7_000;
/** Less than the four calls of a step last, after which its turn fails. */
export const MODEL_AWAY_MS = 1_000;

const WORKER = new URL('./worker-main.ts', import.meta.url);

export function openStage(): Promise<Stage> {
  return buildStage(assemble);
}

async function assemble({ folder, keep }: Building): Promise<Omit<Stage, 'close'>> {
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
  const workers = [keep(await startPart(() => runWorker(WORKER, env)))];
  workers.push(keep(await startPart(() => runWorker(WORKER, env))));
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
  };
}

function writeScript(file: string, steps: ScriptStep[]): Promise<void> {
  return writeFile(file, JSON.stringify({ steps }));
}

async function runModel(args: string[]): Promise<Running> {
  const script = runnable(new URL('./model-main.ts', import.meta.url));
  const child = await startChild({ name: 'The model', script, args });
  const address = new URL(String(child.ready['listening'])).host;
  return { pid: child.pid, address, stop: () => child.stop() };
}
