import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { requirePart } from '../support/require-part.ts';

const LIMIT_MS = 240_000;

beforeEach((context) => requirePart(context, 'temporal'));

it('the benchmark runs, and writes a row for each contestant', { timeout: LIMIT_MS }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-bench-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const out = join(folder, 'bench.md');
  // The peers have a lock file of their own; those that it runs here need nothing that is not installed.
  const contestants = ['--only', 'temporal,single-pglite'];
  const args = ['--import', 'tsx', 'bench/main.ts', '--smoke', ...contestants, '--out', out];
  await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
  const report = await readFile(out, 'utf8');
  for (const title of ['Temporal alone, one process', 'Turnkeeper, one process, PGlite']) {
    const rows = report.split('\n').filter((line) => line.startsWith(`| ${title} |`));
    expect(rows, report).toHaveLength(3);
    expect(rows.join('\n')).not.toMatch(/NaN|undefined/);
    expect(rows[2]).toMatch(/\| 2 \| 12 \|/);
  }
});
