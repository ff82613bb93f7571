import { finished } from 'node:stream/promises';
import type { Environment } from '../../config/readers.ts';
import { TurnkeeperError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { startScript } from '../child.ts';
import type { GuardedProcess } from '../guarded-process.ts';
import { isErrorCode, withoutAdvice } from './messages.ts';
import type { Resources } from './resources.ts';

const READY_TIMEOUT_MS = 120_000;

export interface WorkerProcess {
  /** 1 for the first. */
  readonly number: number;
  readonly pid: number;
  /** Resolves with what it ended with, unless that was meant. */
  readonly failed: Promise<Error>;
  /** SIGKILL: it has no chance to say goodbye. Resolves when it is gone. */
  crash(): Promise<void>;
}

export interface Workers {
  /** Starts another one and waits until it asks for work. Throws what it ended with, or `service_failed`. */
  start(): Promise<WorkerProcess>;
  /** Rejects when one does not start, and when one ends that was not meant to. */
  readonly failure: Promise<never>;
}

export interface WorkersOptions {
  env: Environment;
  resources: Resources;
  /** Told what the worker warns of. */
  onWarning: (message: string) => void;
}

export function createWorkers({ env, resources, onWarning }: WorkersOptions): Workers {
  const { promise: failure, reject: fail } = promiseOf<never>();
  failure.catch(() => undefined);
  let started = 0;
  return {
    failure,
    async start() {
      started += 1;
      const worker = { number: started, name: `Worker ${started}` };
      try {
        const running = await startWorker(worker, { env, resources, onWarning });
        void running.failed.then(fail);
        return running;
      } catch (error) {
        fail(error as Error);
        throw error;
      }
    },
  };
}

async function startWorker(
  { number, name }: { number: number; name: string },
  { env, resources, onWarning }: WorkersOptions,
): Promise<WorkerProcess> {
  let meant = false;
  const log = readLog(onWarning);
  const child = await resources.start(
    () => startScript({ name, script: 'worker', env, onLog: log.read }),
    async (started) => {
      meant = true;
      await started.stop();
    },
  );
  await untilReady(name, child, log);
  const { promise: failed, resolve: fail } = promiseOf<Error>();
  void child.exited.then(async () => meant || fail(await endedError(name, child, log)));
  return {
    number,
    pid: child.pid,
    failed,
    async crash() {
      meant = true;
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

interface WorkerLog {
  read: (line: string) => void;
  /** Resolves with the line that says so. */
  readonly ready: Promise<void>;
  /** The last error. */
  error(): JsonObject | null;
}

function readLog(onWarning: (message: string) => void): WorkerLog {
  const { promise: ready, resolve } = promiseOf<undefined>();
  let isReady = false;
  let error: JsonObject | null = null;
  return {
    ready,
    error: () => error,
    read(line) {
      const entry = parseLine(line);
      const { level, message, failure } = entry;
      if (level === 'error') error = entry;
      if (message === 'worker is ready') {
        isReady = true;
        resolve(undefined);
      }
      if (level !== 'warn') return;
      // Once it runs, most warnings tell of what a killed worker leaves behind, which is the point here.
      if (typeof failure === 'string') onWarning(`${String(message)}: ${failure}`);
      else if (!isReady) onWarning(String(message));
    },
  };
}

function parseLine(line: string): JsonObject {
  try {
    return JSON.parse(line) as JsonObject;
  } catch {
    return {};
  }
}

async function untilReady(name: string, child: GuardedProcess, log: WorkerLog): Promise<void> {
  const { promise: late, resolve } = promiseOf<'late'>();
  const timer = setTimeout(() => resolve('late'), READY_TIMEOUT_MS);
  try {
    const first = await Promise.race([log.ready, child.exited, late]);
    if (first === undefined) return;
    if (first !== 'late') throw await endedError(name, child, log);
    const waited = `${READY_TIMEOUT_MS / 1_000} seconds`;
    throw new TurnkeeperError(
      'service_failed',
      `${name} was not ready after ${waited}. ${said(child)}`,
    );
  } finally {
    clearTimeout(timer);
  }
}

async function endedError(
  name: string,
  child: GuardedProcess,
  log: WorkerLog,
): Promise<TurnkeeperError> {
  // The process may be gone before its last line has been read.
  await finished(child.stderr).catch(() => undefined);
  const { code, message } = log.error() ?? {};
  if (isErrorCode(code)) return new TurnkeeperError(code, withoutAdvice(code, String(message)));
  return new TurnkeeperError('service_failed', `${name} ended by itself. ${said(child)}`);
}

function said(child: GuardedProcess): string {
  const output = child.output().trim();
  return output === '' ? 'It wrote nothing.' : `It wrote:\n${output}\n`;
}

function promiseOf<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((...functions) => {
    [resolve, reject] = functions;
  });
  return { promise, resolve, reject };
}
