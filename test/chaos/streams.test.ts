import { beforeEach, expect, it } from 'vitest';
import { requirePart } from '../support/require-part.ts';
import type { Summary } from './streams/run.ts';
import { runMain } from './support/run-main.ts';

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
    const { summary, stderr, exitCode } = await runMain<Summary>('test/chaos/streams/main.ts', {
      args: ['--seed', SEED, ...(FULL ? ['--full'] : [])],
      limitMs: LIMIT_MS,
    });
    expect(summary, stderr).toMatchObject({ lost: 0, stuck: 0, duplicated: 0, missing: 0 });
    expect(summary.points).toBeGreaterThanOrEqual(FULL ? 500 : 100);
    expect(summary.kills).toBeGreaterThanOrEqual(FULL ? 75 : 20);
    const { expectedCreates = NaN, orphans = NaN } = summary;
    expect(summary.creates, stderr).toBe(expectedCreates + orphans);
    expect(exitCode, stderr).toBe(0);
  },
);
