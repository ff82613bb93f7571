import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../config/readers.ts';
import type { Logger } from '../contracts/logger.ts';
import { chooseModel, type Named } from './services/environment.ts';
import type { Resources } from './services/resources.ts';
import { showSandbox } from './services/sandbox.ts';
import { READABLE_DELTA_MS, startServices } from './services/services.ts';
import type { StartBoard } from './services/start-board.ts';
import type { OnLost } from './services/watched.ts';
import { createWorkers, type Workers } from './services/workers.ts';

const RESTART_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A worker that ran for so long was well. */
const WELL_MS = 60_000;

export interface EmbeddedOptions {
  /** Services that are there already. */
  named: Named;
  /** Absolute path; null for a temporary directory. */
  dataDir: string | null;
  resources: Resources;
  board: StartBoard;
  logger: Logger;
  signal: AbortSignal;
  /** Told of a part that has ended and cannot be replaced; a worker can. */
  onLost: OnLost;
}

export interface Embedded {
  /** Settings that reach everything, on top of this process's environment. */
  env: Environment;
  webUi: string | null;
}

/**
 * Starts what turns need and nobody has named, with a worker. The worker is a process of its own, as in production: what
 * crashes or blocks it reaches no reader, and slow readers cost it nothing. When it ends another one takes its place.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { resources, board } = options;
  const model = chooseModel(null);
  const { env, temporal } = await startServices({
    ...options,
    model,
    offlineDeltaMs: READABLE_DELTA_MS,
    parts: false,
  });
  const workers = createWorkers({ env, resources, onWarning: board.note });
  await Promise.all([showSandbox(env, board), keepWorker(workers, options)]);
  return { env, webUi: temporal.uiUrl };
}

/** Resolves once the first one is there; `pauseMs` is how long the next one is waited with. */
async function keepWorker(
  workers: Workers,
  options: EmbeddedOptions,
  pauseMs = RESTART_PAUSE_MS,
): Promise<void> {
  const worker = await options.board.during(
    'worker',
    () => workers.start(),
    ({ pid }) => `process ${pid}`,
  );
  const since = performance.now();
  void worker.failed.then((error) => {
    const well = performance.now() - since > WELL_MS;
    return replace(workers, error, options, well ? RESTART_PAUSE_MS : pauseMs);
  });
}

/** Each one that does not last is waited for twice as long as the one before. */
async function replace(
  workers: Workers,
  error: Error,
  options: EmbeddedOptions,
  pauseMs: number,
): Promise<void> {
  const { logger, signal } = options;
  if (signal.aborted) return;
  logger.error('the worker ended, another one is started', { error: error.message, pauseMs });
  await delay(pauseMs);
  const next = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  await keepWorker(workers, options, next).catch((failure: unknown) =>
    replace(workers, failure as Error, options, next),
  );
}
