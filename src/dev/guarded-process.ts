import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { Environment } from '../config/readers.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import { describeError } from '../contracts/thrown.ts';

const STOP_TIMEOUT_MS = 10_000;
const OUTPUT_KEPT = 8_000;

export interface ProcessOptions {
  /** What it is, for error messages. */
  name: string;
  command: string;
  args: string[];
  /** The whole environment; this process's by default. */
  env?: Environment;
  /** Asks for an orderly end; SIGTERM by default. */
  stopSignal?: 'SIGTERM' | 'SIGINT';
  /** User and group to run as. */
  user?: { uid: number; gid: number };
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why, where it said so or was ended for it. */
  reason?: string;
}

export interface GuardedProcess {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process is gone. */
  readonly exited: Promise<Exit>;
  alive(): boolean;
  /** The last 8,000 characters it wrote, standard error included. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end, after ten seconds kills it, and waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a process that does not outlive this one, however this one ends. Ctrl-C does not reach it: whoever started it
 * stops it. Throws `service_failed` when it cannot be started.
 */
export async function startGuarded(options: ProcessOptions): Promise<GuardedProcess> {
  const { command, args, env, user, stopSignal = 'SIGTERM' } = options;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(env && { env }),
    ...user,
  });
  const output = keepOutput(child);
  const exited = awaitExit(child);
  const pid = await awaitPid(child, options.name);
  const release = guard(pid, stopSignal);
  void exited.then(release);
  return {
    pid,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    alive: () => child.exitCode === null && child.signalCode === null,
    output,
    kill: (signal) => void child.kill(signal),
    stop: () => stop(child, stopSignal, exited),
  };
}

/**
 * A shell that waits for the end of its standard input, which comes when this process is gone, by SIGKILL too, and ends
 * `pid` then. Returns what calls it off.
 */
function guard(pid: number, signal: 'SIGTERM' | 'SIGINT'): () => void {
  const script = `read -r _; kill -s ${signal.slice(3)} ${pid} && sleep 5 && kill -s KILL ${pid}`;
  const shell = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  // It watches, and must not keep anything alive itself.
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return () => void shell.kill('SIGKILL');
}

async function awaitPid(child: ChildProcess, name: string): Promise<number> {
  try {
    await once(child, 'spawn');
  } catch (error) {
    const reason = describeError(error);
    throw new TurnkeeperError('service_failed', `${name} could not be started: ${reason}.`);
  }
  if (child.pid === undefined)
    throw new TurnkeeperError('service_failed', `${name} has no process.`);
  return child.pid;
}

function awaitExit(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function keepOutput(child: { stdout: Readable; stderr: Readable }): () => string {
  let kept = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => (kept = (kept + data.toString()).slice(-OUTPUT_KEPT)));
  }
  return () => kept;
}

async function stop(
  child: ChildProcess,
  signal: NodeJS.Signals,
  exited: Promise<Exit>,
): Promise<void> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}
