import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useWorld } from '../support/use-world.ts';
import { startPglite } from '../../src/dev/pglite/start.ts';
import { openPool } from '../support/pool.ts';
import { ROOT, runCommand, startExample } from './example.ts';

const README = new URL('README.md', ROOT);

const COUNT = process.env['FULL'] === '1' ? 1_000 : 30;
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

interface Settled {
  turns: number;
  calls: number;
}

const SETTLED = `SELECT count(DISTINCT turn_id)::int AS turns, count(*)::int AS calls
  FROM turnkeeper.model_calls WHERE state = 'completed'`;

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
    const [settled] = await world().sql<Settled>(SETTLED);
    expect(settled).toEqual({ turns: COUNT, calls: COUNT * CALLS_PER_TURN });
  });

  it('goes on where it was when the command of the README is run again', async () => {
    const [, dataDir = ''] =
      /example -- batch --data-dir (\S+) /.exec(await readFile(README, 'utf8')) ?? [];
    const folder = await newFolder();
    const kept = join(folder, dataDir);
    const command = (count: number) => {
      const args = ['--data-dir', kept, '--count', String(count), '--out', join(folder, 'out')];
      return runCommand('batch', args);
    };
    for (const count of [2, 3]) {
      const example = command(count);
      expect(await example.ended, example.stderr()).toBe(0);
      expect(example.stdout()).toContain(`{"completed":${count}}`);
    }
    expect(await settledIn(kept)).toEqual({ turns: 3, calls: 3 * CALLS_PER_TURN });
  });
});

async function settledIn(dataDir: string): Promise<Settled | undefined> {
  const database = await startPglite({ dataDir });
  const pool = openPool(database.url, 1);
  try {
    return (await pool.query<Settled>(SETTLED)).rows[0];
  } finally {
    await pool.end();
    await database.stop();
  }
}
