import { beforeEach, expect, it } from 'vitest';
import { requirePart } from '../support/require-part.ts';
import type { Summary } from './effects/run.ts';
import { runMain } from './support/run-main.ts';

const FULL = process.env['FULL'] === '1';
const LIMIT_MS = FULL ? 3_600_000 : 600_000;
const SEED = process.env['CHAOS_SEED'] ?? String(Math.floor(Math.random() * 2 ** 32));

beforeEach((context) => {
  requirePart(context, 'temporal');
  requirePart(context, 'postgres');
});

it(
  'effects happen and are undone once while gateway, worker, database and Temporal are killed and paused at every boundary',
  { timeout: LIMIT_MS },
  async () => {
    const { summary, stderr, exitCode } = await runMain<Summary>('test/chaos/effects/main.ts', {
      args: ['--seed', SEED, ...(FULL ? ['--full'] : [])],
      limitMs: LIMIT_MS,
    });
    const none = { lost: 0, stuck: 0, doubled: 0, doubleCompensations: 0 };
    expect(summary, stderr).toMatchObject(none);
    expect(summary.points).toBeGreaterThanOrEqual(FULL ? 500 : 29);
    expect(exitCode, stderr).toBe(0);
  },
);
