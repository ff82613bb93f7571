import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const FILES = {
  'passes.test.ts': `
    import { it } from 'vitest';
    it('one', () => undefined);
    it('two', () => undefined);`,
  'fails.test.ts': `
    import { it } from 'vitest';
    it('three', () => { throw new Error('no'); });`,
  'hook.test.ts': `
    import { beforeAll, describe, it } from 'vitest';
    describe('four', () => {
      beforeAll(() => { throw new Error('no'); });
      it('five', () => undefined);
    });`,
  'import.test.ts': `import './nowhere.ts';`,
  'part.test.ts': `
    import { it } from 'vitest';
    import { requirePart } from '${join(ROOT, 'test/support/require-part.ts')}';
    const part = { name: 'Flux capacitor', missing: 'none sold', command: 'apt-get install flux' };
    it('six', (context) => requirePart(context, part));
    it('seven', (context) => requirePart(context, part));`,
  'skipped.test.ts': `
    import { it } from 'vitest';
    it.skip('eight', () => undefined);`,
};

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-reporter-'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, source] of Object.entries(FILES)) await writeFile(join(folder, name), source);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function runTests(files: string[], env: Record<string, string> = {}) {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const reporter = join(ROOT, 'test/support/reporter.ts');
  const args = [vitest, 'run', '--root', folder, '--reporter', reporter, ...files];
  const options = { cwd: folder, env: { ...process.env, REQUIRE_ALL: '', ...env } };
  const { stdout, code } = await promisify(execFile)(process.execPath, args, options).then(
    (done) => ({ ...done, code: 0 }),
    (error: unknown) => error as { stdout: string; code: number },
  );
  return { code, stdout, last: stdout.trimEnd().split('\n').at(-1) };
}

it('ends with the count; files and hooks that break are failures, missing parts are named', async () => {
  const { code, stdout, last } = await runTests([]);
  expect(last).toBe('2 passed, 3 failed, 4 skipped');
  expect(stdout).toContain('Flux capacitor (none sold). Add it with: apt-get install flux');
  expect(code).toBe(1);
});

it('lets a run with skipped tests succeed', async () => {
  const { code, last } = await runTests(['passes', 'part']);
  expect(last).toBe('2 passed, 0 failed, 2 skipped');
  expect(code).toBe(0);
});

it('fails tests that miss a part when everything is required', async () => {
  const { code, last } = await runTests(['passes', 'part'], { REQUIRE_ALL: '1' });
  expect(last).toBe('2 passed, 2 failed, 0 skipped');
  expect(code).toBe(1);
});

it('fails a run in which anything is skipped when everything is required', async () => {
  const { code, last } = await runTests(['passes', 'skipped'], { REQUIRE_ALL: '1' });
  expect(last).toBe('2 passed, 0 failed, 1 skipped');
  expect(code).toBe(1);
});
