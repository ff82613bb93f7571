import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useWorld } from '../support/use-world.ts';
import { startExample } from './example.ts';

const COUNT = process.env['FULL'] === '1' ? 1_000 : 60;
/** Of each ten questions half are asked of the tool and the model twice. */
const CALLS_PER_TURN = 2;

const world = useWorld();

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-batch-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function run(out: string) {
  const args = ['--count', String(COUNT), '--out', out];
  return startExample('batch', args, { ...world().env, MODEL: 'small' });
}

describe('examples/batch', { timeout: 600_000 }, () => {
  it('answers all, also when it was killed on the way, and asks nothing twice', async () => {
    const folder = await newFolder();
    const out = join(folder, 'answers.jsonl');
    const interrupted = run(out);
    await interrupted.wrote(new RegExp(`\\d+/${COUNT} `));
    interrupted.kill('SIGKILL');
    await interrupted.ended;

    const again = run(out);
    expect(await again.ended, again.stderr()).toBe(0);
    expect(again.stdout()).toContain(`{"completed":${COUNT}}`);
    expect(again.stderr()).toContain(`${COUNT}/${COUNT}`);
    const lines = (await readFile(out, 'utf8')).trim().split('\n');
    const answers = lines.map((line) => JSON.parse(line) as { index: number; answer: string });
    expect(new Set(answers.map(({ index }) => index)).size).toBe(COUNT);
    for (const { index, answer } of answers) {
      expect(answer).toContain(`AB-${String(index).padStart(4, '0')}`);
    }
    const [settled] = await world().sql<{ turns: number; calls: number }>(
      `SELECT count(DISTINCT turn_id)::int AS turns, count(*)::int AS calls FROM turnkeeper.model_calls
       WHERE state = 'completed'`,
    );
    expect(settled).toEqual({ turns: COUNT, calls: COUNT * CALLS_PER_TURN });
  });
});
