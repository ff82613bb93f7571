import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { inject } from 'vitest';
import { nodeArguments } from '../../src/dev/child.ts';
import { runnable } from '../support/compile.ts';
import { hasPart } from '../support/require-part.ts';

const DEMO = new URL('../../src/dev/demo.ts', import.meta.url);

/** The demo in a process of its own, with a temporary directory of its own. */
export interface DemoRun {
  stdout(): string;
  stderr(): string;
  /** Resolves once standard error holds this. */
  wrote(text: string): Promise<void>;
  /** Resolves once standard output holds a whole line. */
  printed(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code. */
  ended: Promise<number | null>;
  /** What it has left behind: processes, and files in its temporary directory. */
  leftovers(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function startDemo(
  args: string[],
  env: Record<string, string> = {},
): Promise<DemoRun> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-demo-test-'));
  const child = spawn(process.execPath, [...nodeArguments(runnable(DEMO)), ...args], {
    env: {
      ...process.env,
      TMPDIR: folder,
      // No download in a test.
      EMBEDDINGS: 'none',
      TURNKEEPER_SANDBOX: hasPart('bubblewrap') ? 'bubblewrap' : 'none',
      TEMPORAL_CLI_PATH: inject('temporalCliPath') ?? '',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    wrote: (text) => until(child.stderr, () => output.stderr.includes(text)),
    printed: () => until(child.stdout, () => output.stdout.endsWith('\n')),
    kill: (signal) => void child.kill(signal),
    ended,
    leftovers: async () => [...(await processesOf(folder)), ...(await filesOf(folder))],
    async remove() {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function until(stream: Readable, holds: () => boolean): Promise<void> {
  const closed = once(stream, 'close').then(() => null);
  while (!holds()) {
    const ended = await Promise.race([once(stream, 'data'), closed]);
    if (ended === null && !holds()) throw new Error('The demo ended before.');
  }
}

async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('turnkeeper-'));
}

/** Whatever the demo starts inherits its temporary directory. Told where the system shows it, as Linux does. */
async function processesOf(folder: string): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  const found: string[] = [];
  for (const pid of names.filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`TMPDIR=${folder}`)) found.push(await commandOf(pid));
  }
  return found;
}

async function commandOf(pid: string): Promise<string> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return `${pid} ${command.replaceAll('\0', ' ')}`;
}
