import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeEach, expect, it } from 'vitest';
import { requirePart } from '../support/require-part.ts';
import type { Summary } from './streams/run.ts';

const FULL = process.env['FULL'] === '1';
const LIMIT_MS = FULL ? 3_600_000 : 900_000;
const SEED = process.env['CHAOS_SEED'] ?? String(Math.floor(Math.random() * 2 ** 32));

beforeEach((context) => {
  requirePart(context, 'temporal');
  requirePart(context, 'postgres');
});

it(
  'streams lose and double nothing while gateway, workers, model and database are killed, paused and cut off',
  { timeout: LIMIT_MS },
  async () => {
    const args = ['--import', 'tsx', 'test/chaos/streams/main.ts', '--seed', SEED];
    const { stdout, stderr, ended } = await run(FULL ? [...args, '--full'] : args);
    const summary = JSON.parse(lastLineOf(stdout) || '{}') as Summary;
    expect(summary, stderr).toMatchObject({ lost: 0, stuck: 0, duplicated: 0, missing: 0 });
    expect(summary.points).toBeGreaterThanOrEqual(FULL ? 500 : 100);
    expect(summary.kills).toBeGreaterThanOrEqual(FULL ? 75 : 20);
    expect(summary.creates, stderr).toBe(summary.expectedCreates + summary.orphans);
    expect(ended, stderr).toBe(0);
  },
);

interface Run {
  stdout: string;
  stderr: string;
  /** Its exit code. */
  ended: number;
}

async function run(args: string[]): Promise<Run> {
  const running = promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
  return running.then(
    (output) => ({ ...output, ended: 0 }),
    (error: unknown) => ({ ...(error as Run), ended: 1 }),
  );
}

function lastLineOf(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
