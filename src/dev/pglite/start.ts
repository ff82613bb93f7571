import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { ERROR_CODES, TurnkeeperError } from '../../contracts/errors.ts';
import type { ErrorCode } from '../../contracts/errors.ts';
import { nodeArguments } from '../child.ts';
import type { Exit } from '../guarded-process.ts';
import { untilSilent, type Patience } from './liveness.ts';

const MAIN = new URL(`./main${extname(import.meta.url)}`, import.meta.url);
const STOP_TIMEOUT_MS = 10_000;
const STDERR_KEPT = 2_000;

export interface RunningPglite {
  /** Connection string for `pg`. */
  url: string;
  pid: number;
  /** Resolves when its process is gone. */
  exited: Promise<Exit>;
  /** Closes the database and waits until its process is gone. */
  stop(): Promise<void>;
}

export interface PgliteOptions {
  /** Null keeps everything in memory. */
  dataDir: string | null;
  patience?: Patience;
}

/**
 * Starts the embedded database in a process of its own, which ends when this one does, and is killed when it does not answer
 * any more. Throws `data_dir_in_use`, or `service_failed` when the process ended before it was ready.
 */
export async function startPglite({ dataDir, patience }: PgliteOptions): Promise<RunningPglite> {
  const where = dataDir === null ? ['--memory'] : ['--data-dir', dataDir];
  const child = spawn(process.execPath, [...nodeArguments(MAIN), ...where, '--exit-with-parent'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const end: { reason?: string } = {};
  const over = new AbortController();
  const exited = new Promise<Exit>((resolve) => {
    // Its last line may come after its end.
    child.once('close', (code, signal) => resolve({ code, signal, ...end }));
  });
  child.once('exit', () => over.abort());
  const url = await firstLine(child, (message) => (end.reason = message));
  const kill = () => {
    end.reason = 'it did not answer any more and was killed';
    child.kill('SIGKILL');
  };
  untilSilent(url, over.signal, patience).then(kill, () => undefined);
  return { url, pid: child.pid ?? 0, exited, stop: () => stop(child) };
}

/** Answers where it listens; `onFailed` is told what it says should it fail later. */
function firstLine(child: ChildProcess, onFailed: (message: string) => void): Promise<string> {
  let stderr = '';
  child.stderr?.on('data', (data: Buffer) => {
    stderr = (stderr + data.toString()).slice(-STDERR_KEPT);
  });
  return new Promise((resolve, reject) => {
    const output = child.stdout;
    if (!output) throw new Error('The embedded database was spawned without a pipe.');
    createInterface({ input: output }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.listening !== undefined) return resolve(answer.listening);
      if (answer.error) onFailed(answer.error.message);
      reject(toError(answer.error));
    });
    child.once('error', (error) => reject(failed(error.message)));
    child.once('close', (code, signal) =>
      reject(failed(`${signal ?? `exit code ${code}`} ${stderr}`.trim())),
    );
  });
}

interface Answer {
  listening?: string;
  error?: { code: string; message: string };
}

function toError(error: Answer['error']): TurnkeeperError {
  if (!error || !Object.hasOwn(ERROR_CODES, error.code) || error.code === 'service_failed') {
    return failed(error?.message ?? 'no reason given');
  }
  const code = error.code as ErrorCode;
  // The message ends with the advice already, and the constructor adds it again.
  return new TurnkeeperError(code, error.message.replace(ERROR_CODES[code], '').trimEnd());
}

function failed(reason: string): TurnkeeperError {
  return new TurnkeeperError(
    'service_failed',
    `The embedded database (PGlite) did not start: ${reason}.`,
  );
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}
