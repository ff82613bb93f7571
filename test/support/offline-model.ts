import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { nodeArguments } from '../../src/dev/child.ts';
import type { OfflineModelState } from '../../src/dev/offline-model/control.ts';
import type { JournalEntry } from '../../src/dev/offline-model/journal.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { runnable } from './compile.ts';

const MAIN = new URL('../../src/dev/offline-model/main.ts', import.meta.url);

/** The offline model in a process of its own. */
export interface OfflineModelProcess {
  /** Ends in `/v1`, as `OPENAI_BASE_URL` does. */
  baseUrl: string;
  /** Replaces the script and clears the journal. Without one the model answers by itself. */
  script(steps: ScriptStep[]): Promise<void>;
  journal(): Promise<JournalEntry[]>;
  state(): Promise<OfflineModelState>;
  /** Lets every response under way pass its hold. */
  release(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it on a free port. It ends with the test process at the latest. */
export async function startOfflineModel(): Promise<OfflineModelProcess> {
  const child = spawn(
    process.execPath,
    [...nodeArguments(runnable(MAIN)), '--port', '0', '--delta-ms', '0', '--exit-with-parent'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const baseUrl = await listeningAt(child);
  const root = new URL(baseUrl).origin;
  return {
    baseUrl,
    script: (steps) => post(`${root}/control/script`, { steps }),
    journal: async () => (await get(`${root}/control/journal`)) as JournalEntry[],
    state: async () => (await get(`${root}/control/state`)) as OfflineModelState,
    release: () => post(`${root}/control/release`, {}),
    stop: () => stop(child),
  };
}

async function listeningAt(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('The offline model has no standard output.');
  for await (const line of createInterface(child.stdout)) {
    return (JSON.parse(line) as { listening: string }).listening;
  }
  throw new Error('The offline model ended before it listened.');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

async function get(url: string): Promise<unknown> {
  return answerOf(await fetch(url));
}

async function post(url: string, body: object): Promise<void> {
  await answerOf(await fetch(url, { method: 'POST', body: JSON.stringify(body) }));
}

async function answerOf(response: Response): Promise<unknown> {
  if (!response.ok) throw new Error(`The offline model refused: ${await response.text()}`);
  return response.json();
}
